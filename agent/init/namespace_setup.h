// The mount namespace of PID 1, from what the distro left to what engines need: see mounts.h,
// pivot.h and cgroup.h for the parts, namespace_setup.cpp for their order and why.
#pragma once

#include "base/result.h"
#include "init/boot_context.h"

namespace causeway::init {

struct SetupError {
  Error error;
  std::string_view what_to_do;
};

// Nothing on success. In mode pid1 it also mounts RUN and takes the lock.
std::optional<SetupError> set_up_namespace(BootContext& context);

// At the end: our control groups and mounts.
void tear_down_namespace(const BootContext& context);

// "/run/docker.sock", the link to the engine's socket, where clients look for it.
inline constexpr const char* kDockerSocket = "/run/docker.sock";

}  // namespace causeway::init
