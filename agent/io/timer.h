// Timer calls back once after a delay, or repeatedly. The callback may destroy or restart the
// Timer.
#pragma once

#include <cstdint>
#include <functional>

#include "io/loop.h"

namespace causeway::io {

class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::uint64_t delay_ms, std::function<void()> callback);  // replaces what was armed
  void stop();
  bool armed() const;

 private:
  struct State;
  State* state_;
};

}  // namespace causeway::io
