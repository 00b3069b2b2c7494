// Which paths of a share need no question to the distro: those that are there and have no symbolic
// link in any part. Such a path is its own answer. Nothing here may wait for a file system that
// hangs (a dead network mount of the distro would stop the agent), so only the kernel's cache is
// asked (openat2(2), RESOLVE_CACHED).
#pragma once

#include <string>
#include <vector>

namespace causeway::shares {

// One answer for each of `paths` (clean, absolute); false also means "not known". `root`: of the
// share.
std::vector<bool> find_plain(int root, const std::vector<std::string>& paths);

}  // namespace causeway::shares
