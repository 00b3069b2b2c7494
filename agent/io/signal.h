// SignalWatch calls back in the loop when the process receives a signal (never inside the signal
// handler).
#pragma once

#include <functional>

#include "io/loop.h"

namespace causeway::io {

class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal_number, std::function<void()> callback);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct State;
  State* state_;
};

}  // namespace causeway::io
