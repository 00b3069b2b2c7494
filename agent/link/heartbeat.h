// Heartbeat calls back at even intervals. By a timerfd: a timer of the loop would be armed anew
// with every wait, which costs each request of each client a microsecond (measured).
#pragma once

#include <cstdint>
#include <functional>

#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::link {

class Heartbeat {
 public:
  // The callback must not destroy it.
  Heartbeat(io::Loop& loop, std::uint64_t interval_ms, std::function<void()> beat);

 private:
  UniqueFd timer_;
  std::function<void()> beat_;
  io::Poll poll_;  // last: stops first
};

}  // namespace causeway::link
