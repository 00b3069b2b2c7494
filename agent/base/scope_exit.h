// ScopeExit runs a function when the scope is left, unless dismissed.
#pragma once

#include <utility>

namespace causeway {

template <typename F>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(F run) : run_(std::move(run)) {}
  ~ScopeExit() {
    if (armed_) run_();
  }
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  void dismiss() { armed_ = false; }

 private:
  F run_;
  bool armed_ = true;
};

}  // namespace causeway
