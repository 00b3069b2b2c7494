// Walkers for tests: one that walks, in a fork of the test program, and one that says what a test
// has it say.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "process/child_exec.h"
#include "walk/walk_command.h"
#include "walk/walk_message.h"

namespace causeway::test {

template <typename F>
process::Child forked(int kept, F in_child) {
  std::array<int, 2> closed{};
  REQUIRE(::pipe2(closed.data(), O_CLOEXEC) == 0);
  process::Child child;
  child.pid = ::fork();
  REQUIRE(child.pid >= 0);
  if (child.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(kept, 3);
    ::close_range(4, ~0U, 0);  // an agent's locks are not this process's
    in_child(3);
    ::_exit(0);
  }
  ::close(closed[1]);
  char none = 0;
  REQUIRE(::read(closed[0], &none, 1) == 0);  // it has closed them
  ::close(closed[0]);
  child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  return child;
}

// As causeway walk.
inline Result<process::Child> start_forked_walk(int socket) {
  return forked(socket, [](int end) { walk::serve(end); });
}

// Processes that do nothing; the test speaks for them.
class ScriptedWalks {
 public:
  Result<process::Child> start(int socket) {
    ends.emplace_back(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
    return forked(socket, [](int) {
      for (;;) ::pause();
    });
  }
  // What the walker with that number was told next; of kind failed, number EAGAIN: nothing.
  walk::Message heard(std::size_t number) {
    auto message = walk::receive(ends[number].get(), true);
    if (message) return *std::move(message);
    return {walk::Kind::failed, message.error().code, message.error().message};
  }
  void say(std::size_t number, const walk::Message& message) {
    const auto sent = walk::send(ends[number].get(), message);
    REQUIRE_MESSAGE(sent, (sent ? "" : sent.error().message));
  }

  std::vector<UniqueFd> ends;
};

}  // namespace causeway::test
