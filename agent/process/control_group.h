// Moves a process into its control groups without making it wait. A write to cgroup.procs waits for
// an RCU grace period (measured with cgroup v1: 6 to 17 ms for each service, a quarter of what a
// start may cost), so a helper process of ours writes while the service starts. What the service
// forks in that time stays outside; daemons don't fork so early.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "io/loop.h"
#include "process/child_exec.h"
#include "process/reaper.h"

namespace causeway::process {

class ControlGroupMove {
 public:
  // `directories`: one in each hierarchy. `done` gets what failed, never from inside the
  // constructor; it may destroy the move. Destroyed earlier, the helper goes on.
  ControlGroupMove(io::Loop& loop, Reaper& reaper, pid_t pid,
                   const std::vector<std::string>& directories,
                   std::function<void(const std::vector<std::string>& failures)> done);
  ~ControlGroupMove();
  ControlGroupMove(const ControlGroupMove&) = delete;
  ControlGroupMove& operator=(const ControlGroupMove&) = delete;

 private:
  Reaper& reaper_;
  std::function<void(const std::vector<std::string>&)> done_;
  Child helper_;
  Lifetime lifetime_;
};

// Whether a process is in the group `suffix` ("/causeway/dockerd") of every hierarchy, by the
// content of /proc/PID/cgroup.
bool is_member(std::string_view proc_cgroup, std::string_view suffix);

}  // namespace causeway::process
