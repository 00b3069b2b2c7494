// The agent's own settings, ETC/settings.json: all optional, and each section its owner's. A new
// section is one member here, and its place in the list of the .cpp.
//
//   {"live_restore": true, "log": {"max_bytes": 10485760, "files": 3}, "host_setup": true,
//    "link": {"vsock": "auto", "tcp": "127.0.0.1:4857"}}
#pragma once

#include <string>

#include "engine_setup/settings.h"
#include "link/settings.h"
#include "settings/section.h"
#include "settings/settings_file.h"
#include "supervise/log_settings.h"

namespace causeway::settings {

struct Settings {
  explicit Settings(const std::string& etc);
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  Section<engine_setup::EngineSettings> engine;
  Section<engine_setup::HostSettings> host;
  Section<supervise::LogLimits> log;
  Section<link::Settings> link;

  SettingsFile file;
};

}  // namespace causeway::settings
