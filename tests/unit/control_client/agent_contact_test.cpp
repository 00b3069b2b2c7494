#include "control_client/agent_contact.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "base/exit_code.h"
#include "io/loop.h"
#include "io/timer.h"

using namespace causeway;
using namespace causeway::control_client;

TEST_CASE("control_client/agent_contact: each failure has its code, its reason, and what to do") {
  struct Case {
    int error;
    int exit_code;
    const char* advice;
  };
  const Case cases[] = {
      {ENOENT, kNotRunning, "causeway init"}, {ECONNREFUSED, kNotRunning, "causeway init"},
      {EACCES, kNotAllowed, "root"},          {ETIMEDOUT, kNotRunning, "--wait"},
      {ECONNRESET, kNotRunning, "--wait"},    {0, kInternal, "something"},
  };
  for (const auto& c : cases) {
    const auto failure = explain(Error{"something", c.error}, "/run/x/control.sock");
    CHECK(failure.exit_code == c.exit_code);
    CHECK_MESSAGE(failure.text.find(c.advice) != std::string::npos, failure.text);
    CHECK(failure.text.starts_with("causeway: "));
    CHECK(failure.text.ends_with("\n"));
  }
  CHECK(explain(Error{"x", ENOENT}, "/run/x/control.sock").text.find("/run/x/control.sock") !=
        std::string::npos);
}

TEST_CASE("control_client/agent_contact: each answer that is no success has its code") {
  auto code = [](int status) { return explain(ControlClient::Reply{status, "{}"}).exit_code; };
  CHECK(code(403) == kNotAllowed);
  CHECK(code(404) == kNo);
  CHECK(code(409) == kNo);
  CHECK(code(500) == kNo);
  CHECK(code(503) == kNotRunning);
  CHECK(code(504) == kTimedOut);
  CHECK(code(400) == kInternal);
  CHECK(explain(ControlClient::Reply{404, R"({"message":"no such \u001b"})"}).text ==
        "causeway: no such \\x1b\n");
}

TEST_CASE("control_client/agent_contact: waiting for a socket ends at its deadline") {
  const auto client = connect_when_there("/nonexistent/causeway/control.sock", steady_ms());
  REQUIRE(!client);
  CHECK(client.error().code == ETIMEDOUT);
}

TEST_CASE("control_client/agent_contact: what the caller watches beside it can end the wait") {
  io::Loop loop;
  io::Timer news(loop);
  int looks = 0;
  const auto client = connect_when_there(loop, "/nonexistent/causeway/control.sock",
                                         steady_ms() + 3'600'000, [&]() -> Status {
                                           if (++looks == 3) return Error{"init has ended", EIO};
                                           news.start(0, [&] { loop.stop(); });
                                           return Ok{};
                                         });
  REQUIRE(!client);
  CHECK(client.error().message == "init has ended");
  CHECK(client.error().code == EIO);
  CHECK(looks == 3);
}
