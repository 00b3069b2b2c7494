#include "control/long_call.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "rig.h"

using namespace causeway;
using namespace causeway::control;

namespace {

constexpr const char* kEmpty = "Content-Length: 0\r\n";
constexpr const char* kStep1 = "{\"phase\":\"fetch\",\"text\":\"part 1\"}\n";
constexpr const char* kStep2 = "{\"phase\":\"fetch\",\"text\":\"part 2\"}\n";

// POST and DELETE /v1/work, whose work the test does.
struct WorkRig : Rig {
  WorkRig() {
    LongCall::add(
        api.calls, "/v1/work", {{"size", 0, 9}},
        [this](const Request& request, LongCall::Run started) -> Result<std::function<void()>> {
          if (request.number("size", 0) == 9) return Error{"too large", EINVAL};
          if (request.number("size", 0) == 8) return make_error("not now");
          ++begun;
          if (request.number("size", 0) == 7) started.done();
          run = started;
          return {[this] { ++cancelled; }};
        });
  }
  TestClient post(const std::string& query = "") {
    auto client = connect();
    client.request("POST", "/v1/work" + query, kEmpty);
    return client;
  }
  int del() {
    auto client = connect();
    client.request("DELETE", "/v1/work");
    REQUIRE(client.answer());
    return client.status();
  }
  void step(int part) const { run->progress({"fetch", "part " + std::to_string(part), {}, {}}); }

  std::optional<LongCall::Run> run;
  int begun = 0;
  int cancelled = 0;
};

}  // namespace

TEST_CASE("control/long_call: started, told of, done; the connection goes on") {
  WorkRig rig;
  auto client = rig.post();
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  CHECK(client.field("content-type") == "application/x-ndjson");
  rig.step(1);
  REQUIRE(client.lines(1));
  rig.step(2);
  REQUIRE(client.lines(2));
  rig.run->done();
  REQUIRE(client.lines(3));
  CHECK(client.body == std::string(kStep1) + kStep2 + "{\"end\":\"done\"}\n");
  rig.step(3);  // of no effect any more
  rig.run->failed("no");
  client.request("GET", "/v1/status");
  REQUIRE(client.answer());
  CHECK(client.status() == 200);
}

TEST_CASE("control/long_call: a second client joins, with the newest progress first") {
  WorkRig rig;
  auto first = rig.post();
  REQUIRE(first.read_until([&] { return first.status() == 200; }));
  rig.step(1);
  REQUIRE(first.lines(1));
  rig.step(2);
  auto second = rig.post();
  REQUIRE(second.lines(1));
  CHECK(second.body == kStep2);
  rig.run->failed("the disk is full");
  REQUIRE(first.lines(3));
  REQUIRE(second.lines(2));
  CHECK(second.body ==
        std::string(kStep2) + "{\"end\":\"failed\",\"message\":\"the disk is full\"}\n");
  CHECK(rig.begun == 1);
  // The next one starts anew, without the old progress.
  auto third = rig.post();
  REQUIRE(third.read_until([&] { return third.status() == 200; }));
  rig.run->done();
  REQUIRE(third.lines(1));
  CHECK(third.body == "{\"end\":\"done\"}\n");
  CHECK(rig.begun == 2);
}

TEST_CASE("control/long_call: work that is over before it is followed") {
  WorkRig rig;
  auto client = rig.post("?size=7");
  REQUIRE(client.answer());
  CHECK(client.body == "{\"end\":\"done\"}\n");
  CHECK(rig.del() == 404);
}

TEST_CASE("control/long_call: what can't be begun, and what is something else") {
  WorkRig rig;
  auto invalid = rig.post("?size=9");
  REQUIRE(invalid.answer());
  CHECK(invalid.status() == 400);
  auto refused = rig.post("?size=8");
  REQUIRE(refused.answer());
  CHECK(refused.status() == 409);
  CHECK(refused.body == R"({"message":"not now"})");
  CHECK(rig.begun == 0);
  CHECK(rig.del() == 404);

  auto running = rig.post("?size=1");
  REQUIRE(running.read_until([&] { return running.status() == 200; }));
  auto other = rig.post("?size=2");
  REQUIRE(other.answer());
  CHECK(other.status() == 409);
  auto same = rig.post("?cancel_on_close=1&size=1");
  REQUIRE(same.read_until([&] { return same.status() == 200; }));
}

TEST_CASE("control/long_call: an old client begins nothing") {
  WorkRig rig;
  auto client = rig.connect();
  client.send("POST /v1/work HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 400);
  CHECK(rig.begun == 0);
}

TEST_CASE("control/long_call: DELETE cancels, for all who follow") {
  WorkRig rig;
  CHECK(rig.del() == 404);
  auto client = rig.post();
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  CHECK(rig.del() == 204);
  CHECK(rig.cancelled == 1);
  CHECK(rig.del() == 204);  // once is enough
  CHECK(rig.cancelled == 1);
  // It is on its way out: who wants it anew must wait for that.
  auto late = rig.post();
  REQUIRE(late.answer());
  CHECK(late.status() == 409);
  rig.run->cancelled();
  REQUIRE(client.lines(1));
  CHECK(client.body == "{\"end\":\"cancelled\"}\n");
  CHECK(rig.del() == 404);
}

TEST_CASE("control/long_call: who goes cancels only if it asked for that and was the last") {
  WorkRig rig;
  const auto sessions = [&](std::size_t count) {
    return rig.until([&] { return rig.server->sessions() == count; });
  };
  auto plain = rig.post();
  REQUIRE(plain.read_until([&] { return plain.status() == 200; }));
  plain.close();
  REQUIRE(sessions(0));
  CHECK(rig.cancelled == 0);

  auto joins = rig.post("?cancel_on_close=1");
  auto watcher = rig.post();
  REQUIRE(joins.read_until([&] { return joins.status() == 200; }));
  REQUIRE(watcher.read_until([&] { return watcher.status() == 200; }));
  joins.close();
  REQUIRE(sessions(1));
  CHECK(rig.cancelled == 0);

  auto again = rig.post("?cancel_on_close=1");
  REQUIRE(again.read_until([&] { return again.status() == 200; }));
  watcher.close();
  REQUIRE(sessions(1));
  CHECK(rig.cancelled == 0);
  again.close();
  REQUIRE(sessions(0));
  CHECK(rig.cancelled == 1);
  CHECK(rig.begun == 1);
}

TEST_CASE("control/long_call: a client that goes after the end of its run cancels no later one") {
  WorkRig rig;
  auto client = rig.post("?cancel_on_close=1");
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  rig.run->done();
  auto next = rig.post();
  REQUIRE(rig.until([&] { return rig.begun == 2; }));
  client.close();
  REQUIRE(rig.until([&] { return rig.server->sessions() == 1; }));
  CHECK(rig.cancelled == 0);
}

TEST_CASE("control/long_call: the work outlives the calls") {
  std::optional<LongCall::Run> run;
  {
    WorkRig rig;
    auto client = rig.post();
    REQUIRE(client.read_until([&] { return client.status() == 200; }));
    run = rig.run;
  }
  run->progress({"fetch", "", {}, {}});
  run->done();
}
