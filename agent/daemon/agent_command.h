// `causeway agent`: the process around the Agent. Limits, signals, the loop, the exit code.
#pragma once

#include <string>

namespace causeway::daemon {

struct AgentOptions {
  std::string run = "/run/causeway";
  std::string data = "/data";
  std::string etc = "/etc/causeway";
  std::string log_level = "info";
};

// Until SIGTERM; gives the exit code (base/exit_code.h).
int run_agent(const AgentOptions& options);

}  // namespace causeway::daemon
