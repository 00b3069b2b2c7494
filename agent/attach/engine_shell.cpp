#include "attach/engine_shell.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/unique_fd.h"
#include "io/endpoint.h"

namespace causeway::attach {
namespace {

constexpr std::array kShells{"/bin/bash", "/bin/sh"};

[[noreturn]] void become_shell() {
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGQUIT, SIG_DFL);
  if (::chdir("/root") != 0) (void)!::chdir("/");
  ::setenv("HOME", "/root", 1);
  ::setenv(
      "PATH",
      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/lib/causeway/bin",
      1);
  for (const char* shell : kShells) ::execl(shell, "-sh", static_cast<char*>(nullptr));
  ::_exit(127);
}

}  // namespace

Result<int> run_engine_shell(const std::string& control_socket) {
  auto connection = io::connect_unix(control_socket);
  if (!connection) return std::move(connection).error();
  // Init listens there, so the peer is the engine's process 1 (unix(7), SO_PEERCRED).
  const auto peer = io::peer_of(connection->get());
  if (!peer) return peer.error();
  const UniqueFd init(static_cast<int>(::syscall(SYS_pidfd_open, peer->pid, 0)));
  if (!init) return errno_error("find the engine's process 1");
  if (::setns(init.get(), CLONE_NEWNS | CLONE_NEWPID) != 0)
    return errno_error("enter the engine's namespaces");
  // ^C is the shell's; this process waits for it.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  const pid_t child = ::fork();
  if (child < 0) return errno_error("fork");
  if (child == 0) become_shell();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno_error("wait for the shell");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace causeway::attach
