#include "engine_setup/settings.h"

namespace causeway::engine_setup {

void read_engine_settings(json::ObjectReader& file, EngineSettings& out) {
  file.read("live_restore", out.live_restore);
}

void read_host_settings(json::ObjectReader& file, HostSettings& out) {
  file.read("host_setup", out.host_setup);
}

}  // namespace causeway::engine_setup
