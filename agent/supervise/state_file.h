// What of a service must outlive the agent, beside its process: RUN/state/<service>.json, written
// at each change, and RUN/state/<service>.spec.json, the service file as it was when the process
// was started. RUN is new in each boot, so nothing here outlives the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace causeway::supervise {

struct SavedState {
  std::optional<bool> wanted;  // what a user asked for last; nothing: as the service file says
  unsigned restarts = 0;
  std::int64_t started_at_ms = 0;  // CLOCK_BOOTTIME at the process's start; 0: never
  std::int64_t ready_at_ms = 0;    // and of its becoming ready; 0: it isn't
  std::string last_exit;           // how the last process ended, in words
  std::vector<std::string> notes;  // what the prepare commands said
  bool operator==(const SavedState&) const = default;
};

std::string to_json(const SavedState& state);
Result<SavedState> parse_saved_state(std::string_view content);

}  // namespace causeway::supervise
