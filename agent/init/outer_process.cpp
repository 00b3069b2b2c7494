// The half of init that stays in the distro's namespaces: see init.h.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>

#include "base/exit_code.h"
#include "base/file.h"
#include "cgroups/cgroup.h"
#include "init/boot_context.h"
#include "init/console.h"
#include "init/run_directory.h"

namespace causeway::init {
namespace {

constexpr std::array kForwarded{SIGTERM, SIGINT, SIGHUP, SIGPWR};

sigset_t handled_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  for (const int signal : kForwarded) ::sigaddset(&set, signal);
  return set;
}

// The plans for control groups, as this process sees them. Nothing in them is worth failing for.
void carry_out_groups(std::vector<cgroups::Step> (*plan)(std::string_view, std::string_view)) {
  const auto mountinfo = file::read("/proc/self/mountinfo", 16 << 20);
  const auto groups = file::read("/proc/self/cgroup");
  if (!mountinfo || !groups) return;
  (void)cgroups::carry_out(plan(*mountinfo, *groups), [](const Error& error) {
    say(log::Level::debug, "init.group_skipped error=\"%s\"", error.message.c_str());
  });
}

// Until the child has ended; its wait status.
int wait_for(pid_t child) {
  const sigset_t handled = handled_signals();
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno == ECHILD) return 0;
    siginfo_t info{};
    const int signal = ::sigwaitinfo(&handled, &info);
    if (signal > 0 && signal != SIGCHLD) ::kill(child, signal);
  }
}

[[noreturn]] void become_pid_one(BootContext& context) {
  ::setsid();  // ^C in a terminal is the outer process's to forward
  pid_t pid = 0;
  // Nothing to read: the outer process is dead already.
  if (::read(context.outer.get(), &pid, sizeof(pid)) != sizeof(pid)) ::_exit(kSetUpFailed);
  context.pid_outside = pid;
  ::_exit(run_pid_one(context));
}

int fork_and_wait(BootContext& context) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return setup_failed(errno_error("pipe"), "close other programs");
  context.outer.reset(ends[0]);
  UniqueFd hold(ends[1]);
  context.home.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  const sigset_t handled = handled_signals();
  ::sigprocmask(SIG_SETMASK, &handled, nullptr);
  if (::unshare(CLONE_NEWPID) != 0)
    return setup_failed(errno_error("unshare the PID namespace"),
                        "give CAP_SYS_ADMIN, and a kernel with CONFIG_PID_NS");
  const pid_t child = ::fork();
  if (child < 0) return setup_failed(errno_error("fork"), "free some memory or raise pids.max");
  if (child == 0) {
    hold.reset();
    become_pid_one(context);
  }
  context.outer.reset();
  context.home.reset();
  (void)!::write(hold.get(), &child, sizeof(child));
  const int status = wait_for(child);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  say(log::Level::error, "init.killed signal=%d", WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

}  // namespace

int run_outer(BootContext& context) {
  auto& options = context.options;
  for (std::string* path : {&options.run, &options.data}) {
    // The data is the agent's to make, unless a version's root has to be given it.
    if (path == &options.data && !context.pivots()) continue;
    if (auto made = file::make_directories(*path); !made)
      return setup_failed(made.error(), "make the directory, or name another one");
    std::array<char, PATH_MAX> canonical;
    if (::realpath(path->c_str(), canonical.data()) == nullptr)
      return setup_failed(errno_error("resolve " + *path), "name another directory");
    *path = canonical.data();
  }
  auto binary = open_agent(options);
  if (!binary) return setup_failed(binary.error(), "mount /proc, or give the agent's path");
  context.binary = std::move(*binary);

  auto lock = take_lock(options.run);
  if (!lock) return setup_failed(lock.error(), "make its directory writable");
  if (!lock->fd) {
    say(log::Level::error, "init.busy pid=%s what_to_do=\"stop that init first\"",
        lock->owner.c_str());
    return kOtherRuns;
  }
  context.lock = std::move(lock->fd);

  if (auto mounted = mount_run(options.run); !mounted)
    return setup_failed(mounted.error(), "give CAP_SYS_ADMIN");
  carry_out_groups(cgroups::plan_leaf);
  const int code = fork_and_wait(context);
  carry_out_groups(cgroups::plan_release);
  unmount_run(options.run);
  return code;
}

}  // namespace causeway::init
