// A person's shell in the engine's namespaces: what `wsl -d docker-desktop` opens.
#pragma once

#include <string>

#include "base/result.h"

namespace causeway::attach {

// Enters the mount and PID namespace of the process 1 that made `control_socket`, runs a login
// shell there, and returns its exit code (128 + n when signal n ended it).
Result<int> run_engine_shell(const std::string& control_socket);

}  // namespace causeway::attach
