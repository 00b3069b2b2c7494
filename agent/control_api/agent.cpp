#include "control_api/agent.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {

using json::Json;

std::string to_json(const AgentStatus& agent) {
  return Json::object({{"version", agent.version},
                       {"pid", agent.pid},
                       {"age_s", agent.age_s},
                       {"starts", agent.starts},
                       {"memory_bytes", agent.memory_bytes}})
      .dump();
}

Status read(const Json& json, AgentStatus& out) {
  out = {json["version"].string_or(""), json["pid"].int_or(0), count(json["age_s"]),
         count(json["starts"]), count(json["memory_bytes"])};
  return Ok{};
}

}  // namespace causeway::control_api
