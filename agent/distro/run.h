// `causeway distro`: the helper in a user's distro. It hands the distro's files to the agent,
// brings docker.sock and the CLI tools into the distro, and takes them away again when it is told
// to.
#pragma once

#include <string>

namespace causeway::distro {

struct Options {
  std::string name;  // of the distro; empty: $WSL_DISTRO_NAME
  std::string user;  // the default user, by name or number; empty: as /etc/wsl.conf says
  std::string wsl;   // WSL's shared tmpfs; empty: found in mountinfo
  std::string log_level = "info";
  std::string root = "/";  // another one in tests
};

// Until SIGTERM, or until the distro is disabled. The exit code (agent/README.md); 0 also means
// that nobody needs to start it again.
int run(Options options);

}  // namespace causeway::distro
