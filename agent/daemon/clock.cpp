#include "daemon/clock.h"

#include <cerrno>
#include <ctime>

namespace causeway::daemon {
namespace {

constexpr std::int64_t kTolerated = 1000;
constexpr std::int64_t kYear2020 = 1'577'836'800'000;
constexpr std::int64_t kYear2100 = 4'102'444'800'000;

}  // namespace

Clock Clock::system() {
  Clock out;
  out.now_ms = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  };
  out.set = [](std::int64_t unix_ms) -> Status {
    timespec wanted{};
    wanted.tv_sec = static_cast<std::time_t>(unix_ms / 1000);
    wanted.tv_nsec = static_cast<long>(unix_ms % 1000) * 1'000'000;
    if (::clock_settime(CLOCK_REALTIME, &wanted) != 0) return errno_error("set the clock");
    return Ok{};
  };
  return out;
}

Result<ClockOffset> step_clock(const Clock& clock, std::int64_t unix_ms) {
  if (unix_ms < kYear2020 || unix_ms >= kYear2100)
    return Error{"a time before 2020 or after 2099 can't be meant", EINVAL};
  ClockOffset out;
  out.ms = unix_ms - clock.now_ms();
  if (out.ms >= -kTolerated && out.ms <= kTolerated) return out;
  if (auto set = clock.set(unix_ms); !set) return std::move(set).error();
  out.stepped = true;
  return out;
}

}  // namespace causeway::daemon
