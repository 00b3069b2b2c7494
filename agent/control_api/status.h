// GET /v1/status, typed: all sections that `causeway status` shows. The agent writes them one by
// one, each by the part that has it (control/sections.h); this is for those who read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control_api/agent.h"
#include "control_api/distros.h"
#include "control_api/engine.h"
#include "control_api/link.h"
#include "control_api/notes.h"
#include "control_api/services.h"
#include "control_api/sockets.h"

namespace causeway::control_api {

struct ProductStatus {
  EngineStatus engine;
  AgentStatus agent;
  std::vector<ServiceStatus> services;
  std::vector<SocketStatus> sockets;
  std::vector<DistroStatus> distros;
  Wanted wanted;
  LinkStatus link;
  std::vector<Note> notes;
};

// JSON in one line. Bytes that aren't UTF-8 become U+FFFD.
std::string to_json(const ProductStatus& status);
// Members that this version doesn't know are ignored: an older CLI reads a newer agent.
Result<ProductStatus> status_from_json(std::string_view text);

}  // namespace causeway::control_api
