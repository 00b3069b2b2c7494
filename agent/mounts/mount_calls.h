// The kernel's mount calls that shares are made with. Paths inside a distro are walked by
// descriptor, never by name: a link in a user's files must not lead a mount, or an unmount, to
// another place.
#pragma once

#include <cstdint>
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

// The mounts of a detached tree become slaves of those they were copied from, then shared among
// ourselves: what is mounted there appears here and never the other way, and containers may ask for
// rslave or rshared.
Status receive_only(int tree, bool below);

// Attaches a detached tree on what `target` (O_PATH) shows.
Status attach_tree(int tree, int target);

// Where an O_PATH descriptor points in the mount tree.
struct MountPlace {
  int id = 0;            // as in mountinfo
  bool is_root = false;  // it is the root of that mount: something is mounted right here
};
Result<MountPlace> place_of(int fd);

// `path` (absolute, clean) below `root` as an O_PATH descriptor; no link is followed. A path
// through one has no mount of ours.
Result<UniqueFd> open_below(int root, const std::string& path, bool directory = false);

// Lazily takes away the mount that `fd` shows, and everything on it. In slaves only: nothing
// propagates to where it came from.
Status detach_shown(int fd);

// The same for all mounts stacked on `path`, a place of our own.
Status detach_all(const std::string& path);

}  // namespace causeway::mounts
