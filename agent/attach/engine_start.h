// Brings the engine up from a process of the distro: joins the init that runs, or starts one.
#pragma once

#include <cstdint>
#include <string>

#include "attach/attach_command.h"
#include "base/result.h"
#include "control_client/control_client.h"

namespace causeway::attach {

// A connection to the agent, until `deadline_ms` (steady_ms()). What must be refused has code
// EPERM: another mount namespace than the engine's. ETIMEDOUT: not in time.
Result<control_client::ControlClient> bring_up(const AttachOptions& options,
                                               std::uint64_t deadline_ms);

// The version that `causeway init` is to run: what `versions`/current names, or the only one there.
// Empty when there is no such directory: then the distro's own root is the engine's.
Result<std::string> current_version(const std::string& versions);

}  // namespace causeway::attach
