// Runs a program to its end and gives what it printed: for our own short commands, which may block.
// Not for the agent, which has process/run_once.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "process/run_once.h"

namespace causeway::process {

// With the environment of this process.
process::RunOnce::Outcome run_to_end(const std::vector<std::string>& argv,
                                     std::uint64_t timeout_ms = 30000);

}  // namespace causeway::process
