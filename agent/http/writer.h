// Small messages as text: answers of our own servers, requests of our own clients. Bodies have a
// known length.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace causeway::http {

// "Not Found" for 404; "Unknown" for a number without a name in RFC 9110.
std::string_view reason_phrase(int status);

struct Response {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body;
  bool keep_alive = true;     // else "Connection: close" is said
  bool head_request = false;  // says the body's length without sending it
  std::vector<Field> fields;  // in addition; names and values are the caller's to keep clean
};
std::string write(const Response& response);

// The head of a response whose body follows in chunks; see chunk().
std::string write_chunked_head(int status, std::string_view content_type);
// One chunk around `data`; empty `data` gives the last one.
std::string chunk(std::string_view data);

struct Request {
  std::string_view method = "GET";
  std::string_view target = "/";
  std::string_view host = "causeway";
  std::string_view content_type = "application/json";  // said when there is a body
  std::string_view body;
  bool keep_alive = false;
  std::vector<Field> fields;
};
std::string write(const Request& request);

}  // namespace causeway::http
