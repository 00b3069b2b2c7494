// `causeway engine-config`: the steps around dockerd's start and end that need its daemon.json.
//
//   prepare          user's file ─▶ RUN/daemon.json; what is said about it is printed, a line each
//   --accept         dockerd became ready with it: it is the last good one now
//   --live-restore=false --reload
//                    before a shutdown: dockerd is told to take its containers with it. Without
//                    that it leaves them running, to be killed by the VM's end.
//
// RUN/state/engine-config.json remembers what is in use and how often it was tried.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "engine_setup/settings.h"

namespace causeway::engine_setup {

struct EngineConfigOptions {
  std::string run = "/run/causeway";
  std::string data = "/data";
  std::string etc = "/etc/causeway";
  std::string user_file = "/etc/docker/daemon.json";
  std::string dockerd = "/usr/sbin/dockerd";
  std::optional<bool> live_restore;  // instead of the settings'
  bool accept = false;
  bool reload = false;
};

// Exit code: 0, or 1 with the reason on standard output's last line, where the supervisor looks.
// `settings`: the agent's, or why its file can't be used; then the defaults are.
int run_engine_config(const EngineConfigOptions& options, const Result<EngineSettings>& settings);

}  // namespace causeway::engine_setup
