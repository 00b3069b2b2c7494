// A message head with the few lines changed that a body in another form needs. All other lines stay
// byte for byte, and in their order. The heads come from http::Parser, which takes no folded lines
// and no line ends but CRLF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

namespace causeway::proxy {

// A request whose whole body is at hand: its length in place of its framing; nothing is expected
// (RFC 9110, 10.1.1), for the client was told to go on.
std::string with_length(const http::Head& request, std::uint64_t length);

// A request for another target.
std::string with_target(const http::Head& request, std::string_view target);

enum class BodyEnd { chunked, close };
// A response whose body's length isn't known. `close`: the connection's end is the body's.
std::string with_body_end(const http::Head& response, BodyEnd end);

}  // namespace causeway::proxy
