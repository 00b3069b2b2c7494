// What settings.json says about the engine and the kernel below it.
#pragma once

#include "json/json.h"

namespace causeway::engine_setup {

struct EngineSettings {
  // Containers outlive dockerd. Off for swarm, which refuses it.
  bool live_restore = true;
  bool operator==(const EngineSettings&) const = default;
};

struct HostSettings {
  // Kernel settings are raised and modules loaded before dockerd starts. Off where the kernel is
  // somebody else's.
  bool host_setup = true;
  bool operator==(const HostSettings&) const = default;
};

void read_engine_settings(json::ObjectReader& file, EngineSettings& out);
void read_host_settings(json::ObjectReader& file, HostSettings& out);

}  // namespace causeway::engine_setup
