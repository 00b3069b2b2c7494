#include "example_section.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {

using json::Json;

std::string to_json(const ExampleStatus& example) {
  return Json::object({{"cached_bytes", example.cached_bytes}}).dump();
}

Status read(const Json& json, ExampleStatus& out) {
  out.cached_bytes = count(json["cached_bytes"]);
  return Ok{};
}

}  // namespace causeway::control_api
