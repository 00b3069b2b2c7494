// `causeway host-setup`: makes the kernel ready for containers (host_setup.h), as a step before
// dockerd that runs while containerd starts. It never keeps the engine down: what could not be done
// is printed, a line each, and kept in RUN/state/host-setup.json.
//
// RUN/bin gets links to the iptables that works, for the PATH of the services; it is empty when the
// system's own choice does.
#pragma once

#include <string>

#include "engine_setup/settings.h"

namespace causeway::engine_setup {

struct HostSetupOptions {
  std::string run = "/run/causeway";
  std::string etc = "/etc/causeway";
};

int run_host_setup(const HostSetupOptions& options, const HostSettings& settings);

}  // namespace causeway::engine_setup
