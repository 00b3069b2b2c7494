// Starts a child: fork, set-up, exec. A kill -9 of the agent at any line leaves either a dead child
// or one that is recorded in its pid file:
//
//   fork ─ PDEATHSIG=SIGKILL ─ parent still there? ─ session, limits, stdio ─ pid file
//        ─ PDEATHSIG cleared ─ exec
//
// Nothing here blocks the parent: what failed in the child comes through a pipe, later.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::process {

struct ChildSpec {
  std::vector<std::string> argv;         // argv[0]: a path; "/proc/self/exe" is this program
  std::vector<std::string> environment;  // "KEY=value": all of it, nothing is inherited
  // Where standard output and error go: a path that the child opens read-write itself (a FIFO: with
  // a reader and a writer in the child, it never blocks in open and never sees a closed pipe), else
  // a descriptor, else /dev/null.
  std::string output_path;
  int output_fd = -1;
  int input_fd = -1;                    // standard input; else /dev/null
  std::string pid_file;                 // "PID STARTTIME\n"; none when empty
  std::optional<std::uint64_t> nofile;  // lowered to what the kernel allows
  std::optional<int> oom_score_adj;
  bool dies_with_parent = false;  // keeps PDEATHSIG: for short helpers
};

struct Child {
  pid_t pid = -1;
  std::uint64_t start_time = 0;
  UniqueFd pidfd;
  UniqueFd report;  // see read_report(); its other end closes with the exec
};

Result<Child> start_child(const ChildSpec& spec);

// A file of the kernel's and what to write into it.
struct Setting {
  std::string path;
  std::string value;
};
// A child that writes `settings`, all of them, and ends: for writes that may take a while. What
// failed is in its report's notes.
Result<Child> start_writer(const std::vector<Setting>& settings);

// What the child had to say before its exec.
struct ChildReport {
  bool complete = false;           // the child has exec'd or ended: nothing more comes
  std::string failure;             // "exec /usr/sbin/dockerd: No such file or directory"
  std::vector<std::string> notes;  // steps that failed without ending it
};
// Reads what is there without blocking; to be called when `report` is readable, or at the child's
// end.
ChildReport read_report(int report_fd);

struct RecordedPid {
  pid_t pid = -1;
  std::uint64_t start_time = 0;
};
std::optional<RecordedPid> parse_pid_file(std::string_view content);

}  // namespace causeway::process
