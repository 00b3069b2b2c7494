// The kernel's newer mount calls, which not every C library has (open_tree(2), move_mount(2),
// mount_setattr(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::distro {

// The mount that a descriptor shows; nothing when it isn't the root of a mount.
std::optional<int> mount_shown(int fd);

// A detached copy of the mount whose root `fd` shows, without what is mounted on it.
Result<UniqueFd> clone_shown(int fd);

// Makes a detached mount read-only, without set-uid programs and devices, and private.
Status protect_detached(int mount);

// Attaches a detached mount on what `target` (O_PATH) shows.
Status attach(int mount, int target);

// Lazily takes away the mount that `fd` shows.
Status detach_shown(int fd);

}  // namespace causeway::distro
