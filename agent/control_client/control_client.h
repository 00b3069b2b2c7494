// ControlClient asks the agent over the control socket, blocking, one request at a time. Every wait
// has a limit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "http/parser.h"

namespace causeway::control_client {

// For an answer that waits for nothing: the agent gives it within one turn of its loop.
inline constexpr std::uint64_t kAnswerMs = 10'000;

class ControlClient {
 public:
  // Errors carry errno: ENOENT or ECONNREFUSED when nobody listens, EACCES without the right.
  static Result<ControlClient> connect(const std::string& socket_path);

  struct Reply {
    int status = 0;
    std::string body;
    // The text of an error answer's {"message"}, or the whole body when it isn't one.
    std::string message() const;
  };
  // Times out with ETIMEDOUT when the whole answer isn't there after `timeout_ms`.
  Result<Reply> request(std::string_view method, std::string_view target, std::uint64_t timeout_ms);

  // Gives each line of a 200 answer to `on_line` until that returns false, the answer ends, or
  // `deadline` (of a steady clock, in ms; none: for ever) passes. Other answers are in the reply.
  Result<Reply> lines(std::string_view target, std::optional<std::uint64_t> deadline_ms,
                      const std::function<bool(std::string_view line)>& on_line);

 private:
  explicit ControlClient(UniqueFd fd) : fd_(std::move(fd)) {}
  Status send(std::string_view method, std::string_view target, std::uint64_t deadline_ms);
  // Feeds the parser with what comes next; false at the end of the input.
  Result<bool> receive(std::optional<std::uint64_t> deadline_ms,
                       const std::function<bool()>& after_piece);

  UniqueFd fd_;
  http::Parser parser_{http::Kind::response};
};

std::uint64_t steady_ms();  // what deadlines count in

}  // namespace causeway::control_client
