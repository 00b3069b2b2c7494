// The parts of an HTTP/1.x message head, as views into the bytes it was read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace causeway::http {

enum class Kind { request, response };

// How the end of a message's body is found (RFC 9112, section 6.3).
enum class Framing { none, length, chunked, until_close };

// What a request's target is (RFC 9112, section 3.2).
enum class TargetForm {
  none,       // of a response
  origin,     // "/path?query"
  absolute,   // "http://host/path": what a client sends to a forward proxy
  authority,  // "host:port", with CONNECT only
  asterisk,   // "*", with OPTIONS only
};

struct Field {
  std::string_view name;   // as spelled
  std::string_view value;  // without the blanks around it
};

struct Head {
  std::string_view method;  // requests only
  std::string_view target;  // requests only: as sent, not decoded
  TargetForm form = TargetForm::none;
  int status = 0;           // responses only
  std::string_view reason;  // responses only
  int version = 0;          // 10 or 11
  std::vector<Field> fields;
  std::string_view raw;  // the head's bytes, with the empty line

  // The first field of that name in any case; nothing when there is none.
  std::optional<std::string_view> find(std::string_view name) const;
};

}  // namespace causeway::http
