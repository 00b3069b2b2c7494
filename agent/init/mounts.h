// What init's mount namespace needs beyond what is already there, and what a pivot into a version's
// root takes along. Pure plans over the text of /proc/self/mountinfo; step.h and pivot.h carry them
// out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cgroups/step.h"

namespace causeway::init {

struct MountNeeds {
  // Root is ours alone (a VM, or a version's root after the pivot): /run, /tmp and /var/run are
  // made too. Otherwise the distro's own stay, since processes outside the namespace use them with
  // us.
  bool owns_root = false;
};

// A proc of the own PID namespace, on top of one that shows another. Done before the other plans:
// they read from it.
cgroups::Step proc_mount();

// The steps that add what is missing, in order. cgroups are planned apart (cgroup.h).
std::vector<cgroups::Step> plan_mounts(std::string_view mountinfo, const MountNeeds& needs);

struct Carried {
  std::string path;       // the same before and after the pivot
  bool required = false;  // otherwise left out with a message
  bool operator==(const Carried&) const = default;
};

// What is cloned with everything below it before the pivot, and attached at the same path after it,
// in this order: /sys, /dev (where they are mounts), then `wsl`, drives, WSL's libraries, kernel
// modules, data, run.
std::vector<Carried> plan_carried(std::string_view mountinfo, const std::string& data,
                                  const std::string& run);

}  // namespace causeway::init
