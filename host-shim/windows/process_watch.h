// ProcessWatch tells once that a process has ended, or that it takes too long.
#pragma once

#include <windows.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/result.h"

namespace causeway::shim {

class ProcessWatch {
 public:
  // `told` is called once, on a thread of the system's: with false when `limit_ms` (or INFINITE)
  // have passed. It hands on, and doesn't destroy the watch itself. `process` outlives the watch.
  static Result<std::unique_ptr<ProcessWatch>> start(HANDLE process, DWORD limit_ms,
                                                     std::function<void(bool ended)> told);
  // Nothing is told any more; a call that is under way is waited for.
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

 private:
  explicit ProcessWatch(std::function<void(bool)> told) : told_(std::move(told)) {}

  const std::function<void(bool)> told_;
  HANDLE wait_ = nullptr;
};

}  // namespace causeway::shim
