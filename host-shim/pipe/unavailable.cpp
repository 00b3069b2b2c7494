#include "pipe/unavailable.h"

#include "json/json.h"

namespace causeway::shim::pipe {

std::string unavailable_answer(std::string_view message) {
  const auto body = json::Json::object({{"message", message}}).dump() + "\n";
  return "HTTP/1.1 503 Service Unavailable\r\n"
         "Content-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) +
         "\r\n"
         "Connection: close\r\n"
         "\r\n" +
         body;
}

bool RequestHeadEnd::seen(std::string_view bytes) {
  for (const char c : bytes) {
    if (newlines_ == 2 || size_ >= kLimit) break;
    ++size_;
    if (c == '\n')
      ++newlines_;
    else if (c != '\r')
      newlines_ = 0;
  }
  return newlines_ == 2 || size_ >= kLimit;
}

}  // namespace causeway::shim::pipe
