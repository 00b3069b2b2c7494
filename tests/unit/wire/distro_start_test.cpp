#include "wire/distro_start.h"

#include <doctest/doctest.h>

using namespace causeway::wire;

TEST_CASE("wire/distro_start: the request") {
  CHECK(distro_start_request("Ubuntu-24.04") == "{\"distro\":\"Ubuntu-24.04\"}\n");
  const auto name = parse_distro_start_request(distro_start_request("a \"b\""));
  REQUIRE(name.ok());
  CHECK(*name == "a \"b\"");
  for (const char* line : {"", "Ubuntu", "{}", R"({"distro":1})", R"({"distro":""})",
                           R"({"distro":"a","x":1})", R"(["distro"])"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_distro_start_request(line).ok());
  }
}

TEST_CASE("wire/distro_start: the answer is one line, whatever the reason") {
  CHECK(distro_start_answer({true, ""}) == "{\"started\":true}\n");
  CHECK(distro_start_answer({false, "a\n\"b\""}) ==
        "{\"started\":false,\"reason\":\"a\\n\\\"b\\\"\"}\n");
  const auto broken = distro_start_answer({false, "\xff"});
  CHECK(broken.find('\n') + 1 == broken.size());
}

TEST_CASE("wire/distro_start: the answer is read back") {
  const auto yes = parse_distro_start_answer(distro_start_answer({true, ""}));
  REQUIRE(yes.ok());
  CHECK(yes->started);
  const auto no = parse_distro_start_answer(distro_start_answer({false, "it is not enabled"}));
  REQUIRE(no.ok());
  CHECK_FALSE(no->started);
  CHECK(no->reason == "it is not enabled");
  CHECK(parse_distro_start_answer(R"({"started":true,"more":[1]})").ok());
  for (const char* line : {"", "yes", "[]", "{}", R"({"started":1})", R"({"started":null})"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_distro_start_answer(line).ok());
  }
}
