// `causeway init`: the outer process in the distro's namespaces, and PID 1 in namespaces of its
// own.
//
//   outer process                       PID 1 (own PID and mount namespace)
//   lock RUN.lock (flock, both hold it)
//   fresh tmpfs on RUN ───shared with──▶ sees it too
//   forwards TERM INT HUP PWR ─────────▶ signalfd
//   holds a pipe open ─────────────────▶ its end of file (outer was killed) is an ordered stop
//   waits, unmounts RUN, same exit code ◀ exits
//
// PR_SET_PDEATHSIG would not do for the pipe: its signal comes when the forking *thread* ends, and
// kills without a stop in order. When the outer process is gone, PID 1 unmounts RUN itself, in the
// distro's namespace. When PID 1 is killed, the kernel kills all below it; the next start sweeps
// the rest.
//
// Exit codes: 0 ordered stop, 64 usage, 69 another init runs, 71 set-up failed; 128 + n when PID 1
// was killed by signal n. In mode pid1 there is no outer process, and the end is a power-off.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "init/mode.h"

namespace causeway::init {

struct InitOptions {
  std::optional<Mode> mode;  // none: found out (mode.h)
  std::string versions;      // directory of root images; with `version`, or both empty: no pivot
  std::string version;       // one file name
  std::string data = "/data";
  std::string run = "/run/causeway";
  std::string etc = "/etc/causeway";
  std::chrono::seconds stop_timeout{60};  // for the agent to stop its services
  // A program instead of the agent, for tests; a path as the caller sees it. Empty:
  // /usr/bin/causeway of the version's root, else this very binary.
  std::string agent;
};

// Runs a whole boot and returns the exit code. The process is init's from here on: descriptors
// above 2 are closed, signals blocked. All messages go to standard error.
int run_init(const InitOptions& options);

}  // namespace causeway::init
