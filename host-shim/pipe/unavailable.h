// What a client of the engine's pipe gets while there is no link: an HTTP answer with Docker's
// JSON, so that docker.exe prints the reason instead of waiting. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace causeway::shim::pipe {

// A whole HTTP/1.1 answer with status 503 that closes behind itself.
std::string unavailable_answer(std::string_view message);

// Says when the head of a request has been read: a client that still writes it may not look for an
// answer. Only its end is looked for, nothing in it.
class RequestHeadEnd {
 public:
  static constexpr std::size_t kLimit = std::size_t{64} * 1024;
  // True from the blank line, or kLimit bytes, on.
  bool seen(std::string_view bytes);

 private:
  std::size_t size_ = 0;
  int newlines_ = 0;
};

}  // namespace causeway::shim::pipe
