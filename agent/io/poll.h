// Poll watches one descriptor, which it does not own. The callback may destroy the Poll.
#pragma once

#include <functional>

#include "io/loop.h"

namespace causeway::io {

class Poll {
 public:
  // Bits of what to wait for and of what happened.
  enum Events : unsigned {
    readable = 1,
    writable = 2,
    disconnect = 4,  // the peer has ended its writing (EPOLLRDHUP)
    priority = 8,    // also delivered for a hang-up when nothing else is watched
    failed = 16,     // only reported: EPOLLERR; the watch has ended
  };
  using Callback = std::function<void(unsigned events)>;

  Poll(Loop& loop, int fd, Callback callback);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  // Level-triggered. 0 ends the watch. Calling it again with the same bits costs nothing.
  void watch(unsigned events);
  unsigned watched() const;

 private:
  struct State;
  State* state_;  // freed by libuv's close callback
};

}  // namespace causeway::io
