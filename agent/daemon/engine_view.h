// What the engine API's clients are told of the engine, from the state of the service that provides
// it. Pure; it joins the supervisor's words and the proxy's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control_api/engine.h"
#include "supervise/service_status.h"

namespace causeway::daemon {

struct EngineView {
  control_api::EngineState state = control_api::EngineState::absent;
  // One clause. When ready: what is wrong all the same, of it or of what it needs; mostly nothing.
  std::string reason;
  std::uint64_t silent_s = 0;  // for so long it is ready and doesn't answer
  bool operator==(const EngineView&) const = default;
};

// `stopping`: the agent stops everything. A service that comes back by itself counts as starting:
// requests wait for it, bounded by the proxy.
EngineView engine_view(const std::vector<supervise::ServiceSummary>& services,
                       const std::string& engine_service, bool stopping);

}  // namespace causeway::daemon
