#include "control/control_server.h"

#include <doctest/doctest.h>

#include <string>

#include "scripted_rig.h"

using namespace causeway;
using namespace causeway::control;

namespace {

// A client that came in otherwise than by the socket, and says nothing.
struct Door final : io::ByteStream {
  Door() : io::ByteStream(nullptr) {}
  void pause(Pause) override {}
  void resume(Pause) override {}
  void watch_hangup(bool) override {}
  void write(std::string_view) override {}
  std::size_t queued() const override { return 0; }
  void shutdown_write() override {}
  bool write_ended() const override { return false; }
  bool read_ended() const override { return false; }
  UniqueFd release(std::string*) override { return {}; }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("control/control_server: one connection, several requests") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/status");
  REQUIRE(client.answer());
  CHECK(client.status() == 200);
  CHECK(client.field("content-type") == "application/json");
  CHECK(client.body == R"({"text":""})");

  client.request("GET", "/v1/hello");
  REQUIRE(client.answer());
  CHECK(client.body == R"({"hello":1})");
  CHECK(rig.server->sessions() == 1);

  client.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}

TEST_CASE("control/control_server: requests behind one another in one packet are all answered") {
  ScriptedRig rig;
  auto client = rig.connect();
  const std::string one = "GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string lines = "GET /v1/lines HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string lines_and_end =
      "GET /v1/lines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  client.send(one + lines + one + lines_and_end);
  const std::string all = client.everything();
  std::size_t answers = 0;
  for (auto at = all.find("HTTP/1.1 200 OK"); at != std::string::npos;
       at = all.find("HTTP/1.1 200 OK", at + 1))
    ++answers;
  CHECK(answers == 4);
  CHECK(all.ends_with("\r\n0\r\n\r\n"));
}

TEST_CASE("control/control_server: what isn't there, and what isn't allowed") {
  struct Case {
    const char* method;
    const char* target;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {"GET", "/", 404, "no such path"},
      {"GET", "/v2/status", 404, "no such path"},
      {"GET", "/v1/status/", 404, "no such path"},
      {"POST", "/v1/things//do", 404, "no such path"},
      {"DELETE", "/v1/status", 405, "takes GET"},
      {"GET", "/v1/things/it/do", 405, "takes POST"},
      {"GET", "/v1/lines?tail=-1", 400, "tail"},
      {"GET", "/v1/lines?tail=100001", 400, "tail"},
      {"GET", "/v1/lines?follow=yes", 400, "follow"},
      {"GET", "/v1/lines?tail=1&tail=2", 400, "twice"},
      {"GET", "/v1/lines?what=1", 400, "unknown query parameter what"},
      {"GET", "/v1/status?x=1", 400, "unknown query parameter x"},
      {"GET", "/v1/lines?name=%4", 400, "percent"},
      {"POST", "/v1/things/it/do?wait=1&limit_s=x", 400, "limit_s"},
  };
  ScriptedRig rig;
  auto client = rig.connect();  // errors of this kind keep the connection
  for (const auto& c : cases) {
    CAPTURE(c.target);
    client.request(c.method, c.target, "Content-Length: 0\r\n");
    REQUIRE(client.answer());
    CHECK(client.status() == c.status);
    CHECK(client.body.starts_with("{\"message\":"));
    CHECK_MESSAGE(has(client.body, c.message), client.body);
    CHECK((client.field("allow").empty()) == (c.status != 405));
  }
  CHECK(rig.done.empty());
}

TEST_CASE("control/control_server: malformed and oversized requests are refused and end it") {
  struct Case {
    std::string bytes;
    int status;
  };
  const std::string many(40'000, 'x');
  const Case cases[] = {
      {"GET /v1/status HTTP/1.1\r\nHost: x\nBad: y\r\n\r\n", 400},
      {"nonsense\r\n\r\n", 400},
      {"GET /v1/status HTTP/1.1\r\nHost: x\r\nA: " + many + "\r\n\r\n", 400},
      {"POST /v1/things/it/do HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n", 413},
      {"POST /v1/things/it/do HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
       "9c40\r\n" +
           many + "\r\n0\r\n\r\n",
       413},
  };
  for (const auto& c : cases) {
    ScriptedRig rig;
    auto client = rig.connect();
    client.send(c.bytes);
    REQUIRE(client.answer());
    CHECK(client.status() == c.status);
    CHECK(client.closed());
    CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
    CHECK(rig.done.empty());
  }
}

TEST_CASE("control/control_server: another user is refused, whatever it asks") {
  ScriptedRig rig({}, ::geteuid() + 1);
  auto client = rig.connect();
  REQUIRE(client.answer());
  CHECK(client.status() == 403);
  CHECK(has(client.body, "root"));
  CHECK(client.closed());
  CHECK(rig.server->sessions() == 0);
}

TEST_CASE("control/control_server: one connection too many is told so, the others go on") {
  Limits limits;
  limits.sessions = 2;
  ScriptedRig rig(limits);
  auto first = rig.connect();
  auto second = rig.connect();
  REQUIRE(rig.until([&] { return rig.server->sessions() == 2; }));
  auto third = rig.connect();
  REQUIRE(third.answer());
  CHECK(third.status() == 503);
  CHECK(third.closed());
  first.close();
  REQUIRE(rig.until([&] { return rig.server->sessions() == 1; }));
  auto fourth = rig.connect();
  fourth.request("GET", "/v1/hello");
  REQUIRE(fourth.answer());
  CHECK(fourth.status() == 200);
  second.request("GET", "/v1/hello");
  CHECK(second.answer());
}

TEST_CASE("control/control_server: a request that does not come to its end") {
  Limits limits;
  limits.request_ms = 1;
  ScriptedRig rig(limits);
  auto slow = rig.connect();
  slow.send("GET /v1/status HT");
  REQUIRE(slow.answer());
  CHECK(slow.status() == 408);
  CHECK(slow.closed());
}

TEST_CASE("control/control_server: an idle client") {
  Limits limits;
  limits.idle_ms = 1;
  ScriptedRig rig(limits);
  auto idle = rig.connect();
  CHECK(idle.closed());
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}

TEST_CASE("control/control_server: lines in pieces want HTTP/1.1") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.send("GET /v1/lines HTTP/1.0\r\n\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 400);
}

TEST_CASE("control/control_server: goes away under its clients") {
  ScriptedRig rig;
  auto follower = rig.connect();
  follower.request("GET", "/v1/events");
  REQUIRE(follower.lines(1));
  rig.api.sections.changed();
  rig.server.reset();
  CHECK(follower.closed());
}

TEST_CASE("control/control_server: whoever takes no answers gets no further ones") {
  Limits limits;
  limits.answer_ms = 1;
  ScriptedRig rig(limits);
  rig.text.assign(500'000, 'z');
  auto client = rig.connect();
  for (int i = 0; i < 50; ++i) client.request("GET", "/v1/status");
  CHECK(rig.until([&] { return rig.server->sessions() == 1; }));
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}

TEST_CASE("control/control_server: a client of another door is served, or comes back") {
  Limits limits;
  limits.sessions = 1;
  ScriptedRig rig(limits);
  CHECK(rig.server->serve(std::make_unique<Door>()) == nullptr);
  auto second = std::make_unique<Door>();
  auto* const which = second.get();
  CHECK(rig.server->serve(std::move(second)).get() == which);
  CHECK(rig.server->sessions() == 1);
}

TEST_CASE("control/control_server: those of another door never have all, the socket's may") {
  Limits limits;
  limits.sessions = 5;
  ScriptedRig rig(limits);
  std::size_t served = 0;
  for (int i = 0; i < 10; ++i) served += rig.server->serve(std::make_unique<Door>()) ? 0 : 1;
  CHECK(served == 3);
  auto first = rig.connect();
  auto second = rig.connect();
  for (auto* const client : {&first, &second}) {
    client->request("GET", "/v1/hello");
    REQUIRE(client->answer());
    CHECK(client->status() == 200);
  }
  auto third = rig.connect();
  third.request("GET", "/v1/hello");
  REQUIRE(third.answer());
  CHECK(third.status() == 503);
}

TEST_CASE("control/control_server: the reply that comes later, and the requests behind it") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.send(
      "POST /v1/things/a/do?wait=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
      "GET /v1/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  REQUIRE(rig.until([&] { return !rig.done.empty(); }));
  CHECK(rig.done == std::vector<std::string>{"a{}"});
  rig.api.sections.changed();
  test::settle(rig.loop);
  rig.result = Reply{200, "[1]"};
  rig.api.sections.changed();
  const std::string all = client.everything();
  CHECK(has(all, "[1]HTTP/1.1 200 OK"));
  CHECK(all.ends_with(R"({"hello":1})"));
}

TEST_CASE("control/control_server: a wait ends when its time is over, or its client is gone") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.request("POST", "/v1/things/a/do?wait=1&limit_s=0", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 504);
  rig.result = Reply{200, "[]"};
  rig.api.sections.changed();  // nobody waits any more
  client.request("GET", "/v1/hello");
  REQUIRE(client.answer());
  CHECK(client.status() == 200);

  rig.result.reset();
  auto leaver = rig.connect();
  leaver.request("POST", "/v1/things/a/do?wait=1", "Content-Length: 0\r\n");
  REQUIRE(rig.until([&] { return rig.done.size() == 2; }));
  leaver.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 1; }));
  rig.result = Reply{200, "[]"};
  rig.api.sections.changed();
  client.request("GET", "/v1/hello");
  CHECK(client.answer());
}

TEST_CASE("control/control_server: lines in their order, and the request behind their end") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.send(
      "GET /v1/lines?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /v1/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  REQUIRE(rig.until([&] { return !rig.followed.expired(); }));
  {
    const auto lines = rig.followed.lock();
    lines->add("1");
    lines->set_newest("2");
    lines->add("3");
    lines->end();
    lines->add("too late");
    lines->set_newest("too late");
  }
  const std::string all = client.everything();
  CHECK(has(all, "2\r\n1\n\r\n2\r\n2\n\r\n2\r\n3\n\r\n0\r\n\r\nHTTP/1.1 200 OK"));
  CHECK(!has(all, "late"));
  CHECK(all.ends_with(R"({"hello":1})"));
  CHECK(rig.followed.expired());
  CHECK(rig.gone == 0);
}

TEST_CASE("control/control_server: who follows and goes is told of, once") {
  ScriptedRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/lines?follow=1");
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  client.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
  CHECK(rig.gone == 1);
  CHECK(rig.followed.expired());
}
