#include "control_client/control_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cctype>
#include <chrono>
#include <limits>

#include "http/writer.h"
#include "io/endpoint.h"
#include "json/json.h"

namespace causeway::control_client {
namespace {

// The largest answer is a status with all services' last lines: some 100 KiB. This is far above.
constexpr std::size_t kMaxBody = std::size_t{64} * 1024 * 1024;
// A request fits into the socket's buffer: it is only the agent's accept that can be late.

Error timed_out() { return Error{"the agent did not answer in time", ETIMEDOUT}; }

// Waits until the socket is readable; false at the deadline.
Result<bool> readable(int fd, std::optional<std::uint64_t> deadline_ms) {
  for (;;) {
    int timeout = -1;
    if (deadline_ms) {
      const auto now = steady_ms();
      const auto left = *deadline_ms > now ? *deadline_ms - now : 0;
      timeout = static_cast<int>(std::min<std::uint64_t>(left, std::numeric_limits<int>::max()));
    }
    pollfd state{fd, POLLIN, 0};
    const int n = ::poll(&state, 1, timeout);
    if (n > 0) return true;
    if (n == 0) return false;
    if (errno != EINTR) return errno_error("poll");
  }
}

}  // namespace

std::uint64_t steady_ms() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
      duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

std::string ControlClient::Reply::message() const {
  if (const auto json = json::Json::parse(body))
    if (const auto* text = (*json)["message"].as_string()) return *text;
  return body;
}

Result<ControlClient> ControlClient::connect(const std::string& socket_path) {
  auto fd = io::connect_unix(socket_path);
  if (!fd) return std::move(fd).error();
  return ControlClient(*std::move(fd));
}

Status ControlClient::send(std::string_view method, std::string_view target,
                           std::uint64_t deadline_ms) {
  http::Request request;
  request.method = method;
  request.target = target;
  request.keep_alive = true;
  const std::string bytes = http::write(request);
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t n = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      left.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    // Turned away: the answer that says why is already there.
    if (errno == EPIPE || errno == ECONNRESET) return Ok{};
    if (errno == EAGAIN) {
      pollfd state{fd_.get(), POLLOUT, 0};
      const auto now = steady_ms();
      if (now >= deadline_ms || ::poll(&state, 1, static_cast<int>(deadline_ms - now)) == 0)
        return timed_out();
    } else if (errno != EINTR) {
      return errno_error("send to the agent");
    }
  }
  return Ok{};
}

Result<bool> ControlClient::receive(std::optional<std::uint64_t> deadline_ms,
                                    const std::function<bool()>& after_piece) {
  auto ready = readable(fd_.get(), deadline_ms);
  if (!ready) return std::move(ready).error();
  if (!*ready) return timed_out();
  std::array<char, std::size_t{64} * 1024> buffer;
  const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n < 0) return errno_error("read the agent's answer");
  if (n == 0) {
    if (!parser_.started()) return Error{"the agent closed the connection", ECONNRESET};
    if (auto end = parser_.finish(); !end)
      return Error{"the agent ended in the middle of its answer", ECONNRESET};
    return false;
  }
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
  while (!bytes.empty() && !parser_.complete()) {
    auto taken = parser_.feed(bytes);
    if (!taken) return std::move(taken).error().with("the agent's answer");
    bytes.remove_prefix(*taken);
    if (!after_piece()) return false;
  }
  return !parser_.complete();
}

Result<ControlClient::Reply> ControlClient::request(std::string_view method,
                                                    std::string_view target,
                                                    std::uint64_t timeout_ms) {
  const auto deadline = steady_ms() + timeout_ms;
  parser_.reset();
  if (auto sent = send(method, target, deadline); !sent) return std::move(sent).error();
  Reply reply;
  auto take_body = [&] {
    reply.body += parser_.body();
    return reply.body.size() <= kMaxBody;
  };
  for (;;) {
    auto more = receive(deadline, take_body);
    if (!more) return std::move(more).error();
    if (*more) continue;
    if (!parser_.complete()) return make_error("the agent's answer is too large");
    reply.status = parser_.head().status;
    return reply;
  }
}

Result<ControlClient::Reply> ControlClient::lines(
    std::string_view target, std::optional<std::uint64_t> deadline_ms,
    const std::function<bool(std::string_view line)>& on_line) {
  parser_.reset();
  if (auto sent = send("GET", target, steady_ms() + kAnswerMs); !sent)
    return std::move(sent).error();
  Reply reply;
  bool wanted = true;
  auto take_body = [&] {
    if (parser_.head_done()) reply.status = parser_.head().status;
    reply.body += parser_.body();
    if (reply.status != 200) return reply.body.size() <= kMaxBody;
    std::size_t from = 0;
    for (auto end = reply.body.find('\n'); wanted && end != std::string::npos;
         end = reply.body.find('\n', from)) {
      wanted = on_line(std::string_view(reply.body).substr(from, end - from));
      from = end + 1;
    }
    reply.body.erase(0, from);
    return wanted && reply.body.size() <= kMaxBody;
  };
  for (;;) {
    auto limit = deadline_ms;
    if (!parser_.head_done() && !limit) limit = steady_ms() + kAnswerMs;
    auto more = receive(limit, take_body);
    if (!more) return std::move(more).error();
    if (!*more) return reply;
  }
}

}  // namespace causeway::control_client
