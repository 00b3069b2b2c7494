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

// Whether `path` (below /dev, free of links) is the share's own, as paths::PathContext has it: no
// device and no directory of /dev's own mount. What isn't there is to be made there.
bool is_own_below_dev(int root, const std::string& path);

}  // namespace causeway::shares
