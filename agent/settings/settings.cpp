#include "settings/settings.h"

namespace causeway::settings {

Settings::Settings(const std::string& etc)
    : engine("live_restore", engine_setup::read_engine_settings),
      host("host_setup", engine_setup::read_host_settings),
      log("log", supervise::read_log_limits),
      link("link", link::read_settings),
      file(etc + "/settings.json", {&engine, &host, &log, &link}) {}

}  // namespace causeway::settings
