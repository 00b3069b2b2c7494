// Processes by number without mistaking one for another: a pid is reused, a pid with its start time
// is not, and a pidfd (pidfd_open(2)) holds on to one process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::process {

// What of /proc/PID/stat (proc(5)) says which process this is.
struct ProcessStat {
  char state = '?';              // 'Z' and 'X' are dead
  std::uint64_t start_time = 0;  // field 22, in clock ticks since boot
};
std::optional<ProcessStat> parse_stat(std::string_view stat);
Result<ProcessStat> read_stat(pid_t pid);

Result<UniqueFd> open_pidfd(pid_t pid);
// Only for the living process that started at `start_time`; otherwise an error with code ESRCH.
Result<UniqueFd> open_pidfd(pid_t pid, std::uint64_t start_time);

Status send_signal(int pidfd, int signal_number);

// How a process ended.
struct Exit {
  bool known = false;  // false: it was not our child, and nobody told
  bool signalled = false;
  int value = 0;  // exit code, or signal number

  static Exit code(int value) { return {true, false, value}; }
  static Exit signal(int value) { return {true, true, value}; }
  static Exit unknown() { return {}; }
  static Exit from_wait_status(int status);
  bool success() const { return known && !signalled && value == 0; }
  std::string text() const;  // "exited with code 1", "was killed by SIGKILL"
  bool operator==(const Exit&) const = default;
};

}  // namespace causeway::process
