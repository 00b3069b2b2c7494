// What of the distro's mounts the agent is to be told, from one look to the next.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "paths/mount_table.h"

namespace causeway::distro {

struct ShareChanges {
  std::vector<std::string> gone;         // points, what lies deepest first
  std::vector<paths::ShareMount> there;  // new or another one than before, parents first
  bool operator==(const ShareChanges&) const = default;
};

// Both as paths::plan_share() gives them.
ShareChanges share_changes(const std::vector<paths::ShareMount>& before,
                           const std::vector<paths::ShareMount>& now);

// A detached copy of the mount, if it still is the one at its point (and not a link that somebody
// has put on the way since).
Result<UniqueFd> clone_mount(const paths::ShareMount& mount);

}  // namespace causeway::distro
