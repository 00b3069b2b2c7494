// What `causeway.exe status` tells: as JSON between shim and command, and for a person.
#pragma once

#include <string>
#include <vector>

#include "app/enabled_distros.h"
#include "json/json.h"
#include "shim_status.h"

namespace causeway::shim::app {

struct StatusParts {
  std::string settings_file;
  std::string log_file;
  std::vector<std::string> problems;
};

// {"version", "pid", "state", "reason", "connected", "link": {…}, "pipes": […], "attach": {…},
//  "clients": {…}, "distros": […], "settings": {…}, "handles"}
json::Json to_json(const ShimStatus& status, const std::vector<EnabledDistros::Shown>& distros,
                   const StatusParts& parts);

// A screen of what to_json() gave.
std::string status_screen(const json::Json& status);
std::string distro_screen(const json::Json& status);
// Whether the link is up.
bool is_connected(const json::Json& status);

}  // namespace causeway::shim::app
