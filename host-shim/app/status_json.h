// What `causeway.exe status` tells: as JSON between shim and command, and for a person.
#pragma once

#include <string>
#include <vector>

#include "app/enabled_distros.h"
#include "shim_status.h"

namespace causeway::shim::app {

struct StatusParts {
  std::string settings_file;
  std::string log_file;
  std::vector<std::string> problems;
};

// {"version", "pid", "state", "reason", "connected", "link": {…}, "pipes": […], "attach": {…},
//  "clients": {…}, "distros": […], "settings": {…}, "handles"}
std::string to_json(const ShimStatus& status, const std::vector<EnabledDistros::Shown>& distros,
                    const StatusParts& parts);

// A screen of it; `json` is what to_json() gave. An error text when it isn't.
std::string status_screen(const std::string& json);
std::string distro_screen(const std::string& json);
// Whether the link is up.
bool is_connected(const std::string& json);

}  // namespace causeway::shim::app
