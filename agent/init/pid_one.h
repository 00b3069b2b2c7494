// The process with PID 1: a poll(2) loop over signals, the agent's store socket, a timer and the
// pipe of the outer process. It reaps everybody, keeps the fd store, restarts the agent and ends in
// order (boot_machine.h says when). Nothing is allocated once run() has been entered, and no error
// ends it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fd_store/fd_store.h"
#include "init/agent_process.h"
#include "init/boot_machine.h"

namespace causeway::init {

class PidOne {
 public:
  // `exits` is the write end of the report pipe; `outer` the read end of a pipe that the outer
  // process holds open (none in mode pid1): its end of file means that nobody controls this boot
  // any more, which is a stop like SIGTERM. Signals that init handles are blocked from here on.
  static Result<PidOne> make(fd_store::FdStore& store, AgentProcess& agent, UniqueFd exits,
                             UniqueFd outer, Milliseconds stop_timeout);

  // Returns after an ordered stop, when no process but this one is left (or only such that can't
  // die).
  void run();

  // Whether the outer process was gone at the end, so that its work falls to us.
  bool outer_gone() const { return outer_gone_; }

 private:
  PidOne(fd_store::FdStore& store, AgentProcess& agent) : store_(store), agent_(agent) {}

  void handle(BootEvent event);
  void start_agent();
  void read_signals();
  void reap();
  void report_exit(pid_t pid, int wait_status, std::uint64_t start_time);
  void agent_ended(int wait_status);
  void serve_store();
  void drain_logs();
  void arm_timer();

  fd_store::FdStore& store_;
  AgentProcess& agent_;
  UniqueFd exits_;
  UniqueFd outer_;
  UniqueFd signals_;
  UniqueFd timer_;
  Boot boot_;
  bool outer_gone_ = false;
  std::uint64_t lost_reports_ = 0;
};

}  // namespace causeway::init
