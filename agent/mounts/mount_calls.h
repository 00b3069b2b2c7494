// The kernel's mount calls that shares, drives and tools are attached with. Paths inside a distro
// are walked by descriptor, never by name: a link in a user's files must not lead a mount, or an
// unmount, to another place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "paths/mount_info.h"

namespace causeway::mounts {

// /proc/self/mountinfo now.
Result<std::vector<paths::MountEntry>> own_mounts();

// A detached copy of the mount at `path`, showing `path`; with `below` of all mounts below it too.
Result<UniqueFd> clone_mount(const std::string& path, bool below);
// A detached copy of the mount that `fd` shows, without what is mounted on it.
Result<UniqueFd> clone_shown(int fd);
// A new small tmpfs, detached: without set-uid programs, devices and programs. `source` tells
// whose it is.
Result<UniqueFd> detached_tmpfs(const char* source, const char* mode, bool read_only);

// The mounts of a detached tree become slaves of those they were copied from, then shared among
// ourselves: what is mounted there appears here and never the other way, and containers may ask for
// rslave or rshared.
Status receive_only(int tree, bool below);
// Of the one mount that `mount` is the root of: nothing propagates to it or from it.
Status make_private(int mount);
// Private, read-only, without set-uid programs and devices.
Status protect(int tree);
// Private and writable.
Status make_writable(int tree);

// Attaches a detached tree on what `target` (O_PATH) shows.
Status attach_tree(int tree, int target);

// The number (as in mountinfo) of the mount whose root `fd` shows; nothing when it shows another
// file of a mount. An error on kernels that don't tell (before 5.8).
Result<std::optional<int>> mount_shown(int fd);

// Gets the last reference to what was detached. Whoever closes that ends the file systems in it,
// and may wait for as long as their servers like. Without a Release it is closed by the caller.
using Release = std::function<void(UniqueFd tree)>;

// Lazily takes away the mount that `fd` shows, and everything on it. In slaves and private mounts
// only: nothing propagates to where it came from.
Status detach_shown(int fd, const Release& release = {});

// The same for all mounts stacked on one another where `open` leads; it is called again for each,
// and the end is its first descriptor that shows no mount's root. Code ENOENT of it is fine.
Status detach_all(const std::function<Result<UniqueFd>()>& open, const Release& release = {});
// At a path of our own.
Status detach_all(const std::string& path, const Release& release = {});

}  // namespace causeway::mounts
