// `causeway attach`: what Windows runs in the distro, and a person who opens it.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::attach {

struct AttachOptions {
  std::string run = "/run/causeway";
  std::string data = "/data";
  std::string etc = "/etc/causeway";
  std::string versions = "/versions";
  std::string version;  // empty: see current_version()
  std::string mode = "auto";
  bool shell = false;  // also without a terminal
  std::uint64_t timeout_s = 60;
};

// Until the link or the shell ends; gives the exit code (base/exit_code.h).
int run_attach(const AttachOptions& options);

}  // namespace causeway::attach
