#include "supervise/exit_reports.h"

#include <utility>

#include "base/log.h"

namespace causeway::supervise {
namespace {
constexpr std::size_t kKept = 1024;  // 16 KiB: the orphans of a burst of ending containers
}

ExitReports::ExitReports(io::Loop& loop, UniqueFd pipe, std::function<void()> arrived)
    : pipe_(std::move(pipe)), arrived_(std::move(arrived)) {
  if (!pipe_) return;
  poll_ = std::make_unique<io::Poll>(loop, pipe_.get(), [this](unsigned events) {
    // Init is gone, and with it this process soon: nothing more comes.
    if ((events & io::Poll::failed) != 0) return poll_->watch(0);
    read_now();
    arrived_();
  });
  poll_->watch(io::Poll::readable);
}

void ExitReports::read_now() {
  if (!pipe_) return;
  auto reports = fd_store::read_exit_reports(pipe_.get());
  if (!reports) {
    log::error("exits.unreadable", {{"error", reports.error().message}});
    poll_->watch(0);
    return;
  }
  for (auto& report : *reports) reports_.push_back(report);
  while (reports_.size() > kKept) reports_.pop_front();
}

std::optional<process::Exit> ExitReports::find(pid_t pid, std::uint64_t start_time) const {
  for (const auto& report : reports_)
    if (report.pid == pid && report.start_time == start_time)
      return process::Exit::from_wait_status(report.wait_status);
  return std::nullopt;
}

}  // namespace causeway::supervise
