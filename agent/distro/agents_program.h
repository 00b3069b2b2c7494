// The agent's own program, for a helper that speaks another version than the agent: an agent puts
// its program into the rendezvous directory before it listens there. As bootstrap.sh does it when a
// helper is started: opened, checked to be root's alone, and copied into this distro.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "distro/root_files.h"

namespace causeway::distro {

// Where the bootstrap script puts the helper's program.
inline constexpr const char* kProgramDirectory = "/run/causeway";
inline constexpr const char* kProgram = "/run/causeway/causeway";

// Copies the program below `wsl` to kProgram and opens it to be executed; where /run allows no
// programs it is the checked original. Nothing: it is what `running` is, so there is no other one.
Result<std::optional<UniqueFd>> take_agents_program(const RootFiles& files, const std::string& wsl,
                                                    int running);

// This process goes on as the agent's program, with its own arguments. Returns when it can't, with
// the reason, or when it is that program already.
Status become_agents_program(const RootFiles& files, const std::string& wsl);

}  // namespace causeway::distro
