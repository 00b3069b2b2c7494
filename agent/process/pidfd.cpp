#include "process/pidfd.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "base/text.h"

namespace causeway::process {

std::optional<ProcessStat> parse_stat(std::string_view stat) {
  // Field 2 is the name in parentheses, and it may hold blanks and parentheses: the last one
  // counts.
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto rest = text::fields(text::trim(stat.substr(name_end + 1)));
  if (rest.size() < 20 || rest[0].size() != 1) return std::nullopt;
  const auto start = text::to_u64(rest[19]);  // rest[0] is field 3
  if (!start) return std::nullopt;
  return ProcessStat{rest[0][0], *start};
}

Result<ProcessStat> read_stat(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  auto content = file::read(path, 4096);
  if (!content) return std::move(content).error();
  const auto parsed = parse_stat(*content);
  if (!parsed) return make_error("read " + path + ": not as proc(5) says");
  return *parsed;
}

Result<UniqueFd> open_pidfd(pid_t pid) {
  // glibc 2.36's <sys/pidfd.h> lacks extern "C".
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return errno_error("open process " + std::to_string(pid));
  return fd;
}

Result<UniqueFd> open_pidfd(pid_t pid, std::uint64_t start_time) {
  auto fd = open_pidfd(pid);
  if (!fd) return fd;
  // The descriptor first, then the look: what is seen now is what the descriptor holds, or it
  // ended.
  auto stat = read_stat(pid);
  if (!stat) return Error{std::move(stat).error().message, ESRCH};
  if (stat->state == 'Z' || stat->state == 'X' || stat->start_time != start_time)
    return errno_error("open process " + std::to_string(pid), ESRCH);
  return fd;
}

Status send_signal(int pidfd, int signal_number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0) != 0)
    return errno_error("send signal");
  return Ok{};
}

Exit Exit::from_wait_status(int status) {
  if (WIFSIGNALED(status)) return signal(WTERMSIG(status));
  return code(WEXITSTATUS(status));
}

std::string Exit::text() const {
  if (!known) return "ended, nobody saw how";
  if (!signalled) return "exited with code " + std::to_string(value);
  const char* name = ::sigabbrev_np(value);
  return "was killed by " +
         (name == nullptr ? "signal " + std::to_string(value) : "SIG" + std::string(name));
}

}  // namespace causeway::process
