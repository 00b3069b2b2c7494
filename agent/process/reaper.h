// Reaper is the one place where children are waited for. Each child's end shows on its pidfd; then:
// look with waitid(WNOWAIT), tell the owner while the pid still belongs to the child, reap last.
// There is no SIGCHLD handler and no wait for "any" child, so that nobody's child is stolen.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>

#include "io/loop.h"
#include "process/child_exec.h"
#include "process/pidfd.h"

namespace causeway::process {

class Reaper {
 public:
  using Ended = std::function<void(const Exit&)>;

  explicit Reaper(io::Loop& loop);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // `ended` is called once, at the child's end; `child` must outlive that or be forgotten. It may
  // start other children, not destroy the Reaper.
  void watch(const Child& child, Ended ended);
  // The owner no longer wants to hear; the child is reaped all the same.
  void forget(pid_t pid);
  std::size_t watched() const { return children_.size(); }

 private:
  struct Watch;
  void on_end(pid_t pid);

  io::Loop& loop_;
  std::map<pid_t, std::unique_ptr<Watch>> children_;
};

}  // namespace causeway::process
