// ExitReports keeps what init told about processes that it reaped: how a daemon ended that an
// earlier agent had started. Init reaps every orphan, so most reports concern nobody here; the last
// ones are kept, because a report may come before anybody asks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/unique_fd.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "io/poll.h"
#include "process/pidfd.h"

namespace causeway::supervise {

class ExitReports {
 public:
  // `pipe` may be empty: then there is no init, and nothing is ever known. `arrived` is called
  // after new reports.
  ExitReports(io::Loop& loop, UniqueFd pipe, std::function<void()> arrived);

  bool available() const { return poll_ != nullptr; }
  // Reads what has come without waiting for the loop: for the agent's start.
  void read_now();
  std::optional<process::Exit> find(pid_t pid, std::uint64_t start_time) const;

 private:
  UniqueFd pipe_;
  std::function<void()> arrived_;
  std::deque<fd_store::ExitReport> reports_;
  std::unique_ptr<io::Poll> poll_;
};

}  // namespace causeway::supervise
