// What is told of one service: in short, and as `status` shows it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervise/service_machine.h"

namespace causeway::supervise {

// What others decide by; no file is read for it.
struct ServiceSummary {
  std::string name;
  State state = State::off;
  std::string reason;   // why it is in this state; may be empty
  bool asleep = false;  // off, until somebody needs it
  std::vector<std::string> needs;
};

// What a person should know: dropped settings, a full disk.
struct Note {
  bool warning = false;  // something is wrong
  std::string text;
  bool operator==(const Note&) const = default;
};

struct ServiceStatus {
  std::string name;
  std::string description;
  bool enabled = true;
  State state = State::off;
  std::string reason;       // why it is in this state, or what it waits for; may be empty
  std::int64_t age_ms = 0;  // of the state; of the process while it is ready
  pid_t pid = 0;            // 0: no process
  unsigned restarts = 0;    // in this boot
  std::optional<std::uint64_t> memory_bytes;  // of its control group
  std::vector<std::string> needs;
  std::string socket;     // that its readiness is asked on; may be empty
  bool adopted = false;   // its process was started by an earlier agent
  std::string last_exit;  // "was killed by SIGKILL"; empty when none ended yet
  std::vector<Note> notes;
  std::vector<std::string> last_log_lines;  // when something is wrong
};

}  // namespace causeway::supervise
