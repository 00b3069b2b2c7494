#include "engine_api/error_body.h"

#include "engine_api/json_text.h"
#include "http/writer.h"

namespace causeway::engine_api {

std::string error_body(std::string_view message) {
  std::string out = "{\"message\":";
  append_quoted(out, message);
  return out += "}\n";
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
