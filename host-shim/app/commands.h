// The commands of causeway.exe, each with its options; they return the program's exit code, which
// is one of base/exit_code.h.
#pragma once

#include <string>

namespace causeway::shim::app {

// `allow_elevated`: also from an elevated prompt, which is refused otherwise.
int command_start(bool allow_elevated);
int command_stop();
int command_status(bool json);
// `background`: started by command_start(): no console, an event tells when it serves.
int command_run(bool background, bool allow_elevated);
int command_install_autostart();
int command_remove_autostart();
int command_distro_list(bool json);
int command_distro(const std::string& name, bool enable);
int command_version();

}  // namespace causeway::shim::app
