#include "http/writer.h"

#include <array>
#include <charconv>

namespace causeway::http {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_fields(std::string& out, const std::vector<Field>& fields) {
  for (const Field& field : fields) append_field(out, field.name, field.value);
}

std::string status_line(int status) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + ' ';
  return out.append(reason_phrase(status)).append("\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

std::string write(const Response& response) {
  std::string out = status_line(response.status);
  if (response.status != 204 && response.status != 304) {
    append_field(out, "Content-Type", response.content_type);
    append_field(out, "Content-Length", std::to_string(response.body.size()));
  }
  append_fields(out, response.fields);
  if (!response.keep_alive) append_field(out, "Connection", "close");
  out.append("\r\n");
  if (!response.head_request && response.status != 204 && response.status != 304) {
    out.append(response.body);
  }
  return out;
}

std::string write_chunked_head(int status, std::string_view content_type) {
  std::string out = status_line(status);
  append_field(out, "Content-Type", content_type);
  append_field(out, "Transfer-Encoding", "chunked");
  return out.append("\r\n");
}

std::string chunk(std::string_view data) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16).ptr;
  std::string out(digits.data(), end);
  return out.append("\r\n").append(data).append("\r\n");
}

std::string write(const Request& request) {
  std::string out(request.method);
  out.append(" ").append(request.target).append(" HTTP/1.1\r\n");
  append_field(out, "Host", request.host);
  if (!request.body.empty()) append_field(out, "Content-Type", request.content_type);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    append_field(out, "Content-Length", std::to_string(request.body.size()));
  }
  append_fields(out, request.fields);
  if (!request.keep_alive) append_field(out, "Connection", "close");
  return out.append("\r\n").append(request.body);
}

}  // namespace causeway::http
