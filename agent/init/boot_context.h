// What the processes of one boot share: inherited over fork, not global.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "init/init.h"

namespace causeway::init {

struct BootContext {
  InitOptions options;  // with `run` and `data` as canonical paths
  Mode mode = Mode::plain;
  UniqueFd binary;  // of the agent, opened before a pivot; empty in mode pid1 until /proc is there
  UniqueFd lock;    // held by outer process and PID 1 both, so it is free when both are gone
  UniqueFd outer;   // PID 1: read end of the outer process's pipe
  UniqueFd home;    // PID 1: the distro's mount namespace, to unmount RUN when outer is gone
  pid_t pid_outside = 0;  // of PID 1, as the distro sees it; 0 unknown

  bool pivots() const { return !options.versions.empty(); }
};

// One message for the three questions a failed set-up leaves: what, why, what to do. Gives
// kSetUpFailed.
int setup_failed(const Error& error, std::string_view what_to_do);

// The agent's binary as options say: by name, or the running program.
Result<UniqueFd> open_agent(const InitOptions& options);

// The outer process: lock, RUN, fork, wait. Gives the exit code; in the child it doesn't return.
int run_outer(BootContext& context);

// PID 1 after the fork, or the real one: set-up, the loop, the end. Gives the exit code.
int run_pid_one(BootContext& context);

// PID 1's last deed, when it is the machine's: the root file system goes read-only, and the machine
// off. Returns in any other PID namespace.
void power_off();

}  // namespace causeway::init
