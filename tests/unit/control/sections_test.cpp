#include "control/sections.h"

#include <doctest/doctest.h>

#include <string>

#include "rig.h"

using namespace causeway;
using namespace causeway::control;

TEST_CASE("control/sections: each under its name, in the order in which they were added") {
  io::Loop loop;
  Sections sections(loop);
  CHECK(sections.json() == "{}");
  sections.add("b", [] { return std::string("[1]"); });
  sections.add("a", [] { return std::string("{}"); });
  CHECK(sections.json() == R"({"b":[1],"a":{}})");
  CHECK(sections.names() == std::vector<std::string>{"b", "a"});
}

TEST_CASE("control/sections: events tell the status now and after changes, folded") {
  Rig rig;
  int written = 0;
  std::string now = "1";
  rig.api.sections.add("n", [&] {
    ++written;
    return now;
  });
  rig.api.sections.changed();
  test::settle(rig.loop);
  CHECK(written == 0);  // nobody follows
  auto client = rig.connect();
  client.request("GET", "/v1/events");
  REQUIRE(client.lines(1));
  CHECK(client.body == "{\"n\":1}\n");
  client.body.clear();
  now = "2";
  rig.api.sections.changed();
  now = "3";
  rig.api.sections.changed();
  REQUIRE(client.lines(1));
  test::settle(rig.loop);
  client.take_some();
  CHECK(client.body == "{\"n\":3}\n");
  CHECK(written == 2);
}

TEST_CASE("control/sections: a wait that is over at once, and one whose check asks again") {
  io::Loop loop;
  Sections sections(loop);
  const auto at_once = sections.wait([] { return Reply{200, "1"}; }, 1000, {});
  REQUIRE(std::holds_alternative<Reply>(at_once));
  CHECK(std::get<Reply>(at_once).json == "1");

  int asked = 0;
  const auto later = sections.wait(
      [&]() -> std::optional<Reply> {
        sections.changed();
        return ++asked < 3 ? std::nullopt : std::optional(Reply{200, "3"});
      },
      1000, {});
  REQUIRE(std::holds_alternative<std::shared_ptr<Later>>(later));
  test::settle(loop);
  CHECK(asked == 3);
}
