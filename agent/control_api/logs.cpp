#include "control_api/logs.h"

#include "json/json.h"

namespace causeway::control_api {

using json::Json;

// By hand: there are many of them.
std::string to_json(const LogLine& line) {
  std::string out = "{\"service\":";
  json::append_quoted(out, line.service);
  out += ",\"line\":";
  json::append_quoted(out, line.line);
  return out += '}';
}

std::string dropped_json(std::string_view service, std::uint64_t lines) {
  return Json::object({{"service", service}, {"dropped", lines}}).dump();
}

}  // namespace causeway::control_api
