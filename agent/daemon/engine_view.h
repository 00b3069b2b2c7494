// What the engine API's clients are told of the engine, from the state of the service that provides
// it. Pure; it joins the supervisor's words and the proxy's.
#pragma once

#include <string>
#include <vector>

#include "control_api/status.h"
#include "supervise/service_status.h"

namespace causeway::daemon {

struct EngineView {
  control_api::EngineState state = control_api::EngineState::absent;
  std::string reason;  // one clause; empty when ready
  bool operator==(const EngineView&) const = default;
};

// `stopping`: the agent stops everything. A service that comes back by itself counts as starting:
// requests wait for it, bounded by the proxy.
EngineView engine_view(const std::vector<supervise::ServiceSummary>& services,
                       const std::string& engine_service, bool stopping);

}  // namespace causeway::daemon
