// The system's clock after the machine's sleep: WSL's own service leaves it behind for long
// (WSL#10006), so Windows tells the time when it resumes.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace causeway::daemon {

struct Clock {
  std::function<std::int64_t()> now_ms;  // unix time
  std::function<Status(std::int64_t unix_ms)> set;

  static Clock system();  // CLOCK_REALTIME
};

struct ClockOffset {
  bool stepped = false;
  std::int64_t ms = 0;  // what was asked for, minus what the clock said
};

// Sets it when it is off by more than a second: below that, stepping does more harm than good. An
// error with EINVAL: no such time can be meant (before 2020, after 2099).
Result<ClockOffset> step_clock(const Clock& clock, std::int64_t unix_ms);

}  // namespace causeway::daemon
