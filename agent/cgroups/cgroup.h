// Control groups, v1, v2 and hybrid, as pure plans over /proc/self/mountinfo and /proc/self/cgroup;
// and the few answers the supervisor needs about them. Nothing is assumed about where the process
// sits: `<own>` is its group when init starts, in each hierarchy.
//
//   <own>/causeway.init        v2 only: init and the agent, so that <own> may have controllers
//                              enabled (cgroup-v2.rst, "No Internal Process Constraint")
//   <own>/causeway/<service>   one per service
//
// A VM's kernel is shared by all distros, so a v1 controller is mounted only where it is v1
// already: taking one away from v2 would break the other distros (docker/for-win#14801).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cgroups/step.h"

namespace causeway::cgroups {

// Mounts every hierarchy that /proc/self/cgroup names and mountinfo lacks. v2 alone goes to
// /sys/fs/cgroup; v1 gets a tmpfs there with a directory for each hierarchy. An empty
// /proc/self/cgroup means that nobody has used control groups since the boot: v2 then.
std::vector<Step> plan_cgroup_mounts(std::string_view mountinfo, std::string_view self_cgroup);

// The cgroup.controllers file of <own> whose content plan_groups() wants; empty unless v2 rules
// alone.
std::string controllers_file(std::string_view mountinfo, std::string_view self_cgroup);

// Moves the calling process into <own>/causeway.init. Empty unless v2 rules alone and is mounted.
std::vector<Step> plan_leaf(std::string_view mountinfo, std::string_view self_cgroup);

// Removes what an earlier boot left, makes <own>/causeway and hands it the controllers. Every step
// is optional: without control groups the agent still runs, and says what is missing.
std::vector<Step> plan_groups(std::string_view mountinfo, std::string_view self_cgroup,
                              std::string_view controllers);

// At the end of an ordered stop: everything of ours goes, and the calling process is back in <own>.
std::vector<Step> plan_release(std::string_view mountinfo, std::string_view self_cgroup);

struct ServiceGroups {
  // <own>/causeway/<service> in each hierarchy. A process joins by writing "0" to each one's
  // cgroup.procs; the first lists the members of all.
  std::vector<std::string> directories;
  std::string memory_file;    // bytes in use: memory.usage_in_bytes or memory.current; may be empty
  std::vector<Step> to_make;  // idempotent, also without init (tests): carry_out() these, then join
};

// Nothing for a name that can't be a directory ("", ".", "..", or with a slash or control
// character). The same answer for init, for the agent inside causeway.init, and for an agent
// without init.
ServiceGroups service_groups(std::string_view mountinfo, std::string_view self_cgroup,
                             std::string_view service);

}  // namespace causeway::cgroups
