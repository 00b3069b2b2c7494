#include "process/child_exec.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/text.h"
#include "process/pidfd.h"

namespace causeway::process {
namespace {

constexpr int kExecFailed = 127;  // as shells say "command not found"

// Everything below runs in the child, between fork and exec. The agent has one thread, so the whole
// library may be used.
class ChildSide {
 public:
  ChildSide(const ChildSpec& spec, pid_t parent, int report)
      : spec_(spec), parent_(parent), report_(report) {}

  [[noreturn]] void run() {
    begin();
    if (::setsid() < 0) fail("new session");
    ::umask(022);
    if (::chdir("/") != 0) fail("change directory to /");
    if (spec_.oom_score_adj)
      write_setting("/proc/self/oom_score_adj", std::to_string(*spec_.oom_score_adj));
    if (spec_.nofile) limit_files();
    open_stdio();
    if (!spec_.pid_file.empty()) write_pid_file();
    // Nothing of the agent's reaches the daemon, whoever forgot O_CLOEXEC.
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail("close descriptors");
    if (!spec_.dies_with_parent && ::prctl(PR_SET_PDEATHSIG, 0) != 0) fail("outlive the parent");
    exec();
  }

  [[noreturn]] void write(const std::vector<Setting>& settings) {
    begin();
    for (const auto& setting : settings) write_setting(setting.path, setting.value);
    ::_exit(0);
  }

 private:
  void begin() {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("die with the parent");
    if (::getppid() != parent_) ::_exit(kExecFailed);  // it died before the line above
    reset_signals();
  }

  void say(char kind, const std::string& what) {
    const std::string line = kind + what + '\n';
    ::signal(SIGPIPE, SIG_IGN);
    if (::write(report_, line.data(), line.size()) < 0) {
      // The agent is gone: nobody to tell.
    }
    ::signal(SIGPIPE, SIG_DFL);
  }

  [[noreturn]] void fail(const std::string& step) {
    say('e', text::printable(errno_error(step).message));
    ::_exit(kExecFailed);
  }

  void note(const Error& error) { say('n', text::printable(error.message)); }

  static void reset_signals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);  // KILL, STOP refuse
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  // A daemon without its OOM setting is better than no daemon; it is said.
  void write_setting(const std::string& path, const std::string& value) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return note(errno_error("open " + path));
    if (::write(fd.get(), value.data(), value.size()) < 0)
      note(errno_error("write " + value + " to " + path));
  }

  void limit_files() {
    rlimit limit{*spec_.nofile, *spec_.nofile};
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
    const Error refused = errno_error("limit open files to " + std::to_string(*spec_.nofile));
    ::getrlimit(RLIMIT_NOFILE, &limit);  // fs.nr_open, or no CAP_SYS_RESOURCE: take what is allowed
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    note(Error{refused.message + "; it is " + std::to_string(limit.rlim_cur), refused.code});
  }

  void open_stdio() {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) fail("open /dev/null");
    UniqueFd own;
    int output = spec_.output_fd >= 0 ? spec_.output_fd : null.get();
    if (!spec_.output_path.empty()) {
      own.reset(::open(spec_.output_path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
      if (!own) fail("open " + spec_.output_path);
      output = own.get();
    }
    // dup2 of a number onto itself would keep O_CLOEXEC: can't be, the agent holds 0 to 2.
    if (::dup2(null.get(), 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0)
      fail("standard streams");
  }

  void write_pid_file() {
    const auto stat = read_stat(::getpid());
    if (!stat) {
      say('e', stat.error().message);
      ::_exit(kExecFailed);
    }
    const std::string temporary = spec_.pid_file + ".new";
    const std::string line =
        std::to_string(::getpid()) + " " + std::to_string(stat->start_time) + "\n";
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) fail("open " + temporary);
    if (!file::write_all(fd.get(), line)) fail("write " + temporary);
    // No fsync: it must outlive the agent, not the machine.
    if (::rename(temporary.c_str(), spec_.pid_file.c_str()) != 0)
      fail("rename to " + spec_.pid_file);
  }

  [[noreturn]] void exec() {
    const auto pointers = [](const std::vector<std::string>& strings) {
      std::vector<char*> out;
      out.reserve(strings.size() + 1);
      for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
      out.push_back(nullptr);
      return out;
    };
    auto argv = pointers(spec_.argv);
    auto environment = pointers(spec_.environment);
    ::execve(argv[0], argv.data(), environment.data());
    const Error failed = errno_error("exec " + spec_.argv[0]);
    if (!spec_.pid_file.empty()) ::unlink(spec_.pid_file.c_str());
    say('e', text::printable(failed.message));
    ::_exit(kExecFailed);
  }

  const ChildSpec& spec_;
  pid_t parent_;
  int report_;
};

// Forks; `in_child` gets the parent's pid and the report's writing end, and does not return.
template <typename F>
Result<Child> fork_child(const F& in_child) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return errno_error("pipe");
  UniqueFd report_read(ends[0]);
  UniqueFd report_write(ends[1]);
  const pid_t parent = ::getpid();
  // Until the child has dropped our signal handlers, none may run in it: they write into pipes that
  // it shares with us, and we would take its signals for ours.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) in_child(parent, report_write.get());
  const int fork_errno = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return errno_error("fork", fork_errno);

  Child child;
  child.pid = pid;
  child.report = std::move(report_read);
  // Safe by number: nobody but us can reap it.
  auto pidfd = open_pidfd(pid);
  const auto stat = read_stat(pid);
  if (!pidfd || !stat) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return !pidfd ? std::move(pidfd).error() : stat.error();
  }
  child.pidfd = std::move(*pidfd);
  child.start_time = stat->start_time;
  return child;
}

}  // namespace

Result<Child> start_child(const ChildSpec& spec) {
  if (spec.argv.empty()) return make_error("start: no command");
  return fork_child([&](pid_t parent, int report) { ChildSide(spec, parent, report).run(); });
}

Result<Child> start_writer(const std::vector<Setting>& settings) {
  return fork_child(
      [&](pid_t parent, int report) { ChildSide(ChildSpec{}, parent, report).write(settings); });
}

ChildReport read_report(int report_fd) {
  ChildReport out;
  std::string bytes;
  std::array<char, 1024> block;
  for (;;) {
    const ssize_t n = ::read(report_fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    if (n == 0) {
      out.complete = true;
      break;
    }
    bytes.append(block.data(), static_cast<std::size_t>(n));
  }
  for (const auto line : text::split(bytes, '\n')) {
    if (line.empty()) continue;
    if (line[0] == 'e') {
      out.failure = line.substr(1);
    } else {
      out.notes.emplace_back(line.substr(1));
    }
  }
  return out;
}

std::optional<RecordedPid> parse_pid_file(std::string_view content) {
  const auto parts = text::fields(text::trim(content));
  if (parts.size() != 2) return std::nullopt;
  const auto pid = text::to_u64(parts[0]);
  const auto start = text::to_u64(parts[1]);
  // Up to 2^22: PID_MAX_LIMIT of the kernel.
  if (!pid || !start || *pid < 1 || *pid > 1U << 22) return std::nullopt;
  return RecordedPid{static_cast<pid_t>(*pid), *start};
}

}  // namespace causeway::process
