#include "process/reaper.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <utility>

#include "io/poll.h"

namespace causeway::process {

struct Reaper::Watch {
  UniqueFd pidfd;  // of its own: the owner of the Child may go first
  Ended ended;
  std::unique_ptr<io::Poll> poll;
};

Reaper::Reaper(io::Loop& loop) : loop_(loop) {}
Reaper::~Reaper() = default;

void Reaper::watch(const Child& child, Ended ended) {
  auto watch = std::make_unique<Watch>();
  watch->pidfd.reset(::fcntl(child.pidfd.get(), F_DUPFD_CLOEXEC, 3));
  watch->ended = std::move(ended);
  watch->poll = std::make_unique<io::Poll>(loop_, watch->pidfd.get(),
                                           [this, pid = child.pid](unsigned) { on_end(pid); });
  watch->poll->watch(io::Poll::readable);
  children_[child.pid] = std::move(watch);
}

void Reaper::forget(pid_t pid) {
  if (const auto at = children_.find(pid); at != children_.end()) at->second->ended = nullptr;
}

void Reaper::on_end(pid_t pid) {
  const auto at = children_.find(pid);
  if (at == children_.end()) return;
  siginfo_t seen{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &seen, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      seen.si_pid == 0)
    return;  // not yet
  auto watch = std::move(at->second);
  children_.erase(at);
  watch->poll.reset();
  Exit exit = Exit::unknown();
  if (seen.si_pid == pid)
    exit = seen.si_code == CLD_EXITED ? Exit::code(seen.si_status) : Exit::signal(seen.si_status);
  if (watch->ended) watch->ended(exit);
  while (::waitid(P_PID, static_cast<id_t>(pid), &seen, WEXITED | WNOHANG) < 0 && errno == EINTR) {
  }
}

}  // namespace causeway::process
