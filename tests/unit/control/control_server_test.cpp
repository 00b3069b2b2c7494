#include "control/control_server.h"

#include <doctest/doctest.h>

#include <string>

#include "rig.h"

using namespace causeway;
using namespace causeway::control;

namespace {
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("control/control_server: one connection, several requests") {
  Rig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/status");
  REQUIRE(client.answer());
  CHECK(client.status() == 200);
  CHECK(client.field("content-type") == "application/json");
  CHECK(client.body == control_api::to_json(rig.backend.now));

  client.request("GET", "/v1/version");
  REQUIRE(client.answer());
  CHECK(client.body == control_api::version_json(CAUSEWAY_VERSION));
  CHECK(rig.server->sessions() == 1);

  client.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}

TEST_CASE("control/control_server: requests behind one another in one packet are all answered") {
  Rig rig;
  auto client = rig.connect();
  const std::string one = "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string lines = "GET /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string lines_and_end = "GET /v1/logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
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
      {"POST", "/v1/services//start", 404, "no such path"},
      {"POST", "/v1/services/nothing/start", 404, "no such service: nothing"},
      {"GET", "/v1/logs?service=nothing", 404, "no such service: nothing"},
      {"DELETE", "/v1/status", 405, "takes GET"},
      {"GET", "/v1/services/dockerd/stop", 405, "takes POST"},
      {"GET", "/v1/logs?tail=-1", 400, "tail"},
      {"GET", "/v1/logs?tail=100001", 400, "tail"},
      {"GET", "/v1/logs?follow=yes", 400, "follow"},
      {"GET", "/v1/logs?tail=1&tail=2", 400, "twice"},
      {"GET", "/v1/logs?what=1", 400, "unknown query parameter what"},
      {"GET", "/v1/status?x=1", 400, "unknown query parameter x"},
      {"GET", "/v1/logs?service=%4", 400, "percent"},
      {"POST", "/v1/services/dockerd/start?wait=1&timeout_s=0", 400, "timeout_s"},
  };
  Rig rig;
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
  CHECK(rig.backend.performed.empty());
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
      {"POST /v1/services/dockerd/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n", 413},
      {"POST /v1/services/dockerd/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
       "9c40\r\n" +
           many + "\r\n0\r\n\r\n",
       413},
  };
  for (const auto& c : cases) {
    Rig rig;
    auto client = rig.connect();
    client.send(c.bytes);
    REQUIRE(client.answer());
    CHECK(client.status() == c.status);
    CHECK(client.closed());
    CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
    CHECK(rig.backend.performed.empty());
  }
}

TEST_CASE("control/control_server: another user is refused, whatever it asks") {
  Rig rig({}, ::geteuid() + 1);
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
  Rig rig(limits);
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
  fourth.request("GET", "/v1/version");
  REQUIRE(fourth.answer());
  CHECK(fourth.status() == 200);
  second.request("GET", "/v1/version");
  CHECK(second.answer());
}

TEST_CASE("control/control_server: a request that does not come to its end") {
  Limits limits;
  limits.request_ms = 1;
  Rig rig(limits);
  auto slow = rig.connect();
  slow.send("GET /v1/status HT");
  REQUIRE(slow.answer());
  CHECK(slow.status() == 408);
  CHECK(slow.closed());
}

TEST_CASE("control/control_server: an idle client") {
  Limits limits;
  limits.idle_ms = 1;
  Rig rig(limits);
  auto idle = rig.connect();
  CHECK(idle.closed());
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}

TEST_CASE("control/control_server: an action is answered with what it has begun") {
  Rig rig;
  auto client = rig.connect();
  client.request("POST", "/v1/services/dockerd/restart", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 202);
  CHECK(has(client.body, "\"state\":\"starting\""));
  CHECK(rig.backend.performed == std::vector<std::string>{"restart dockerd"});

  rig.backend.refusal = "the machine is being switched off";
  client.request("POST", "/v1/services/dockerd/start", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 409);
  CHECK(client.body == control_api::error_json(rig.backend.refusal));
}

TEST_CASE("control/control_server: wait=1 answers when the state is reached, or can't be") {
  struct Case {
    const char* action;
    std::vector<control_api::ServiceState>
        states;  // after the command; all but the last leave it waiting
    int status;
  };
  using S = control_api::ServiceState;
  const Case cases[] = {
      {"start", {S::waiting, S::starting, S::backing_off, S::ready}, 200},
      {"start", {S::starting, S::failed}, 500},
      {"start", {S::starting, S::invalid}, 500},
      {"start", {S::starting, S::off}, 500},
      {"restart", {S::stopping, S::off, S::starting, S::ready}, 200},
      {"restart", {S::stopping, S::failed}, 500},
      {"stop", {S::stopping, S::killing, S::off}, 200},
      {"stop", {S::stopping, S::failed}, 200},
  };
  for (const auto& c : cases) {
    CAPTURE(c.action);
    Rig rig;
    rig.backend.behind_command = c.states.front();
    auto client = rig.connect();
    client.request("POST", std::string("/v1/services/dockerd/") + c.action + "?wait=1",
                   "Content-Length: 0\r\n");
    REQUIRE(rig.until([&] { return !rig.backend.performed.empty(); }));
    for (std::size_t i = 0; i < c.states.size(); ++i) {
      rig.backend.service("dockerd").state = c.states[i];
      rig.backend.service("dockerd").reason = "because";
      rig.server->status_changed();
      rig.settle();
      client.take_some();
      CHECK((client.status() != 0) == (i + 1 == c.states.size()));
    }
    CHECK(client.status() == c.status);
    if (c.status == 500) CHECK(has(client.body, "dockerd"));
    // The connection serves the next request.
    client.request("GET", "/v1/version");
    REQUIRE(client.answer());
    CHECK(client.status() == 200);
  }
}

TEST_CASE("control/control_server: wait=1 ends when its time is over, or its client is gone") {
  Limits limits;
  limits.wait_s = 0;
  Rig rig(limits);
  auto client = rig.connect();
  client.request("POST", "/v1/services/dockerd/start?wait=1", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 504);

  auto leaver = rig.connect();
  leaver.request("POST", "/v1/services/dockerd/start?wait=1&timeout_s=3600",
                 "Content-Length: 0\r\n");
  REQUIRE(rig.until([&] { return rig.backend.performed.size() == 2; }));
  leaver.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 1; }));
}

TEST_CASE("control/control_server: the last lines of one service and of all") {
  Rig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/logs");
  REQUIRE(client.answer());
  CHECK(client.field("content-type") == "application/x-ndjson");
  CHECK(client.body ==
        "{\"service\":\"containerd\",\"line\":\"first\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"second\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"third\"}\n");
  client.request("GET", "/v1/logs?service=dockerd&tail=1");
  REQUIRE(client.answer());
  CHECK(client.body == "{\"service\":\"dockerd\",\"line\":\"third\"}\n");
  CHECK(!rig.backend.last_was_fresh);
  client.request("GET", "/v1/logs?tail=0&fresh=1");
  REQUIRE(client.answer());
  CHECK(client.body.empty());
  CHECK(rig.backend.last_was_fresh);
}

TEST_CASE("control/control_server: lines in pieces want HTTP/1.1") {
  Rig rig;
  auto client = rig.connect();
  client.send("GET /v1/logs HTTP/1.0\r\n\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 400);
}

TEST_CASE("control/control_server: a follower gets what comes, of its service only") {
  Rig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/logs?service=dockerd&tail=1&follow=1");
  REQUIRE(client.lines(1));
  rig.server->log_line("containerd", "not this");
  rig.server->log_line("dockerd", "new \xff \x1b");
  REQUIRE(client.lines(2));
  CHECK(client.body ==
        "{\"service\":\"dockerd\",\"line\":\"third\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"new \xef\xbf\xbd \\u001b\"}\n");
  client.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
  rig.server->log_line("dockerd", "nobody listens");
}

TEST_CASE("control/control_server: a slow follower loses the oldest lines and is told how many") {
  Limits limits;
  limits.follower_bytes = 2000;
  Rig rig(limits);
  auto client = rig.connect();
  client.request("GET", "/v1/logs?tail=0&follow=1");
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  // More than the socket's buffers hold, in a row, unread.
  const std::string filler(1000, 'x');
  const int count = 5000;
  for (int i = 0; i < count; ++i) rig.server->log_line("dockerd", std::to_string(i) + filler);
  REQUIRE(client.read_until(
      [&] { return has(client.body, "\"" + std::to_string(count - 1) + filler); }));
  long long lines = 0;
  long long dropped = 0;
  std::size_t from = 0;
  for (auto end = client.body.find('\n'); end != std::string::npos;
       from = end + 1, end = client.body.find('\n', from)) {
    const std::string line = client.body.substr(from, end - from);
    if (const auto at = line.find("\"dropped\":"); at != std::string::npos) {
      dropped += std::atoll(line.c_str() + at + 10);
    } else {
      ++lines;
    }
  }
  CHECK(dropped > 0);
  CHECK(lines + dropped == count);
}

TEST_CASE("control/control_server: what is asked for of the past is never dropped") {
  Limits limits;
  limits.follower_bytes = 10;
  Rig rig(limits);
  rig.backend.kept.assign(3000, {"dockerd", std::string(500, 'y')});
  auto client = rig.connect();
  client.request("GET", "/v1/logs?tail=3000");
  REQUIRE(client.answer());
  CHECK(!has(client.body, "dropped"));
  CHECK(client.body.size() > 3000 * 500);
}

TEST_CASE("control/control_server: events tell the status now and after changes, folded") {
  Rig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/events");
  REQUIRE(client.lines(1));
  CHECK(client.body == control_api::to_json(rig.backend.now) + "\n");
  client.body.clear();
  rig.backend.now.engine.state = control_api::EngineState::down;
  rig.server->status_changed();
  rig.backend.now.engine.reason = "gone";
  rig.server->status_changed();
  REQUIRE(client.lines(1));
  rig.settle();
  client.take_some();
  CHECK(client.body == control_api::to_json(rig.backend.now) + "\n");
}

TEST_CASE("control/control_server: goes away under its clients") {
  Rig rig;
  auto follower = rig.connect();
  follower.request("GET", "/v1/events");
  REQUIRE(follower.lines(1));
  rig.server->status_changed();  // the work it defers must not run any more
  rig.server.reset();
  CHECK(follower.closed());
}

TEST_CASE("control/control_server: whoever takes no answers gets no further ones") {
  Limits limits;
  limits.answer_ms = 1;
  Rig rig(limits);
  rig.backend.now.notes.assign(1000, {false, std::string(500, 'z')});  // 500 KiB an answer
  auto client = rig.connect();
  for (int i = 0; i < 50; ++i) client.request("GET", "/v1/status");
  CHECK(rig.until([&] { return rig.server->sessions() == 1; }));
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
}
