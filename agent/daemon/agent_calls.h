// The agent itself in the control API: the section `agent` and GET /v1/version.
#pragma once

#include <cstdint>

#include "control/api.h"
#include "control_api/agent.h"

namespace causeway::daemon {

// Of this process, by proc(5); 0 when it can't be read.
std::uint64_t resident_bytes();

// `describe` tells all but the version, the pid and the memory.
void add_agent_calls(control::Api& api, std::function<control_api::AgentStatus()> describe);

}  // namespace causeway::daemon
