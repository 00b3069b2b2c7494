// The command line of causeway.exe.
#pragma once

#include <string>
#include <vector>

namespace causeway::shim::app {

// Without the program's name. Returns the exit code; wrong usage is told on standard error.
int run_command_line(std::vector<std::string> arguments);

}  // namespace causeway::shim::app
