#include "daemon/shares_wait.h"

#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "containers/container_records.h"
#include "engine_setup/await_shares_command.h"

namespace causeway::daemon {

SharesWait::SharesWait(shares::Shares& shares, std::string run, const std::string& docker_root,
                       const std::string& mnt, std::function<void()> over)
    : run_(std::move(run)), over_(std::move(over)) {
  if (::access((run_ + engine_setup::kSharesReady).c_str(), F_OK) == 0) return;
  for (const auto& record : containers::read_records(docker_root)) {
    if (!containers::starts_by_itself(record)) continue;
    for (const auto& distro : containers::distros_of(record, mnt))
      if (shares.known(distro) && !shares.attached(distro)) waiting_.insert(distro);
  }
  if (waiting_.empty()) finish();
  for (const auto& distro : waiting_) {
    log::info("shares.wait", {{"distro", distro}, {"limit_ms", kLimitMs}});
    shares.request(distro);
    shares.when_attached(distro, kLimitMs, lifetime_.guard([this, distro = distro](bool there) {
      ended(distro, there);
    }));
  }
}

void SharesWait::ended(const std::string& distro, bool attached) {
  if (!attached) log::warning("shares.late", {{"distro", distro}});
  waiting_.erase(distro);
  if (!waiting_.empty()) return;
  finish();
  if (over_) over_();
}

void SharesWait::finish() {
  if (auto written = file::write_atomic(run_ + engine_setup::kSharesReady, "", 0644); !written)
    log::error("shares.ready_not_written", {{"error", written.error().message}});
}

}  // namespace causeway::daemon
