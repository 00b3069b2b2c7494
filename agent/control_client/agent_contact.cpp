#include "control_client/agent_contact.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/exit_code.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"

namespace causeway::control_client {
namespace {

// A socket file is there an instant before somebody listens on it, and no event tells about that.
constexpr std::uint64_t kListenRetryMs = 20;

}  // namespace

std::string control_socket(const std::string& run) { return run + "/control.sock"; }

Failure explain(const Error& error, const std::string& socket) {
  const std::string what = "causeway: " + text::printable(error.message) + "\n";
  switch (error.code) {
    case ENOENT:
      return {kNotRunning, "causeway: the agent doesn't run: there is no " + socket +
                               "\n  Either it was not started here, or it uses another directory "
                               "(--run DIR).\n  Start it with `causeway init`, as root.\n"};
    case ECONNREFUSED:
      return {kNotRunning, "causeway: the agent doesn't run: nobody listens on " + socket +
                               "\n  It has ended and left the file behind.\n  Start it again "
                               "with `causeway init`, as root.\n"};
    case EACCES:
    case EPERM:
      return {kNotAllowed,
              "causeway: no permission to use " + socket +
                  "\n  The control socket is root's alone; run this as root (sudo).\n"};
    case EAGAIN:
    case ECONNRESET:
    case ETIMEDOUT:
      return {kNotRunning,
              what +
                  "  It may be starting again, or hang; its own messages are where "
                  "`causeway init` writes.\n  `causeway status --wait` waits for it.\n"};
    default:
      return {kInternal, what};
  }
}

Failure explain(const ControlClient::Reply& reply) {
  std::string text = "causeway: " + text::printable(reply.message()) + "\n";
  switch (reply.status) {
    case 403:
      return {kNotAllowed, text + "  Run this as root (sudo).\n"};
    case 503:
      return {kNotRunning, std::move(text)};
    case 504:
      return {kTimedOut, std::move(text)};
    case 404:
    case 409:
    case 500:
      return {kNo, std::move(text)};
    default:
      return {kInternal, "causeway: the agent answered " + std::to_string(reply.status) + ": " +
                             text::printable(reply.message()) +
                             "\n  Is it another version? See `causeway version`.\n"};
  }
}

int report(const Failure& failure) {
  std::fputs(failure.text.c_str(), stderr);
  return failure.exit_code;
}

Result<ControlClient> connect_when_there(const std::string& socket, std::uint64_t deadline_ms) {
  if (auto client = ControlClient::connect(socket); client) return client;
  io::Loop loop;
  return connect_when_there(loop, socket, deadline_ms, [] { return Status(Ok{}); });
}

Result<ControlClient> connect_when_there(io::Loop& loop, const std::string& socket,
                                         std::uint64_t deadline_ms,
                                         const std::function<Status()>& given_up) {
  io::Timer timer(loop);
  for (;;) {
    // The watch first, then a look: so nothing slips in between. Anew each time, since a mount may
    // have covered what was watched.
    auto watch = io::PathWatch::start(loop, socket, [&] { loop.stop(); });
    if (!watch) return std::move(watch).error();
    auto client = ControlClient::connect(socket);
    if (client) return client;
    const int code = client.error().code;
    if (code != ENOENT && code != ECONNREFUSED && code != EAGAIN) return client;
    if (auto going_on = given_up(); !going_on) return std::move(going_on).error();
    const auto now = steady_ms();
    if (now >= deadline_ms) return Error{std::move(client).error().message, ETIMEDOUT};
    const auto left = deadline_ms - now;
    timer.start(code == ENOENT ? left : std::min(left, kListenRetryMs), [&] { loop.stop(); });
    loop.run();
  }
}

}  // namespace causeway::control_client
