// Section `agent`: the agent itself.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

struct AgentStatus {
  std::string version;
  std::int64_t pid = 0;
  std::uint64_t age_s = 0;
  std::uint64_t starts = 1;  // how often init has started it in this boot, this one included
  std::uint64_t memory_bytes = 0;
};

std::string to_json(const AgentStatus& agent);
Status read(const json::Json& json, AgentStatus& out);

}  // namespace causeway::control_api
