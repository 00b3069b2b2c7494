// The commands of causeway.exe, each with its options; they return the program's exit code. Exit
// codes are those of the agent's commands (agent/README.md).
#pragma once

#include <string>

namespace causeway::shim::app {

enum ExitCode : int {
  kDone = 0,
  kNo = 1,
  kNotRunning = 3,
  kNotAllowed = 4,
  kUsage = 64,
  kOtherRuns = 69,
  kInternal = 70,
  kSetUpFailed = 71,
  kTimedOut = 75,
};

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
