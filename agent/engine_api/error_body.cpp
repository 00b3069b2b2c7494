#include "engine_api/error_body.h"

#include <array>
#include <cstdint>

#include "http/writer.h"

namespace causeway::engine_api {
namespace {

// How many bytes at the start of `s` are one well-formed UTF-8 character (Unicode, table 3-7), or
// 0.
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
    if (first == 0xed && byte(1) > 0x9f) return 0;  // a surrogate
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto value = static_cast<unsigned char>(c);
  if (value >= 0x20 && value != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[value >> 4U];
  out += kHex[value & 0xfU];
}

}  // namespace

std::string error_body(std::string_view message) {
  std::string out = "{\"message\":\"";
  while (!message.empty()) {
    const std::size_t length = utf8_length(message);
    if (length == 1) {
      append_escaped(out, message[0]);
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out.append(message, 0, length);
    }
    message.remove_prefix(length == 0 ? 1 : length);
  }
  return out += "\"}\n";
}

std::string error_response(int status, std::string_view message, bool close, bool head_request) {
  const std::string body = error_body(message);
  http::Response response;
  response.status = status;
  response.body = body;
  response.keep_alive = !close;
  response.head_request = head_request;
  return http::write(response);
}

}  // namespace causeway::engine_api
