// Makes a version's root the root of init's mount namespace. What comes along is cloned as detached
// mounts before and attached at the same paths after, so that symbolic links resolve in the new
// root and nothing is mounted over what was attached.
//
// The caller has made every mount of the namespace a slave and shares nothing yet: the clones stay
// slaves of the distro's mounts, so later mounts below `<wsl>` still arrive, and letting go of the
// old root takes nothing away from anybody. Mounts are shared again after set-up.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "init/mounts.h"

namespace causeway::init {

class Pivot {
 public:
  using Skipped = std::function<void(const Error&)>;

  // Clones `carried` (optional ones that don't exist are left out silently), /etc/resolv.conf and
  // /etc/hosts.
  static Result<Pivot> prepare(const std::vector<Carried>& carried);

  // Enters `root` (bound onto itself unless it is a mount point) and lets go of the old root.
  Status enter(const std::string& root);

  // Attaches the clones for which `wanted` says so; the directories are made.
  Status attach(const std::function<bool(const std::string&)>& wanted, const Skipped& skipped);

  // The distro's resolv.conf and hosts, each where the version's root has none or an empty one.
  void attach_network_files(const Skipped& skipped);

 private:
  struct Clone {
    std::string path;
    bool required = false;
    UniqueFd tree;
  };

  std::vector<Clone> clones_;
  std::vector<Clone> network_files_;
};

}  // namespace causeway::init
