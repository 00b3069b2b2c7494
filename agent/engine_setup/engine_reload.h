// Makes a running dockerd read its configuration again and waits until it has: dockerd tells by an
// event of type daemon, action reload, with the values now in force.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace causeway::engine_setup {

// Subscribes to the events on `socket`, sends SIGHUP to the process recorded in `pid_file` ("PID
// STARTTIME"), waits for the event. With its own loop: for a command, not for the agent.
Status reload_engine(const std::string& socket, const std::string& pid_file, bool live_restore,
                     std::uint64_t timeout_ms);

}  // namespace causeway::engine_setup
