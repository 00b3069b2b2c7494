#include "pipe/unavailable.h"

namespace causeway::shim::pipe {
namespace {

std::string json_string(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20) {
      out += "\\u00";
      out += kDigits[code >> 4];
      out += kDigits[code & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string unavailable_answer(std::string_view message) {
  const auto body = "{\"message\":" + json_string(message) + "}\n";
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
