#include "daemon/shares_wait.h"

#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "containers/container_records.h"
#include "engine_setup/await_shares_command.h"

namespace causeway::daemon {

SharesWait::SharesWait(binds::Distros& distros, std::string run, const std::string& docker_root,
                       std::function<void()> over)
    : distros_(distros), run_(std::move(run)), over_(std::move(over)) {
  if (::access((run_ + engine_setup::kSharesReady).c_str(), F_OK) == 0) return;
  for (const auto& record : containers::read_records(docker_root)) {
    if (!containers::starts_by_itself(record)) continue;
    for (const auto& distro : containers::distros_of(record))
      if (!binds::is_attached(distros_, distro) && distros_.obstacle(distro).empty())
        waiting_.insert(distro);
  }
  if (waiting_.empty()) {
    finish();
    return;
  }
  for (const auto& distro : waiting_)
    log::info("shares.wait", {{"distro", distro}, {"limit_ms", kLimitMs}});
  binds::await_distros(distros_, waiting_, kLimitMs,
                       lifetime_.guard([this](const binds::Awaited& awaited) {
                         for (const auto& distro : awaited.missing)
                           log::warning("shares.late", {{"distro", distro}});
                         waiting_.clear();
                         finish();
                         if (over_) over_();
                       }));
}

std::set<std::string> SharesWait::distros() const {
  auto out = waiting_;
  std::erase_if(out, [&](const auto& distro) { return binds::is_attached(distros_, distro); });
  return out;
}

void SharesWait::finish() {
  if (auto written = file::write_atomic(run_ + engine_setup::kSharesReady, "", 0644); !written)
    log::error("shares.ready_not_written", {{"error", written.error().message}});
}

}  // namespace causeway::daemon
