// The engine's own form of an error answer, so that every Docker client shows our text as it shows
// dockerd's: {"message":"…"} (Docker Engine API, "ErrorResponse").
#pragma once

#include <string>
#include <string_view>

namespace causeway::engine_api {

// `message` is any bytes: what is not UTF-8 becomes U+FFFD. Ends with a newline, as dockerd's does.
std::string error_body(std::string_view message);

// As a whole response. `head_request`: without the body. `close` says "Connection: close".
std::string error_response(int status, std::string_view message, bool close,
                           bool head_request = false);

}  // namespace causeway::engine_api
