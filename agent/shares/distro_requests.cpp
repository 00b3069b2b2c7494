#include "shares/distro_requests.h"

#include <utility>

#include "base/log.h"

namespace causeway::shares {

void DistroRequests::request(const std::string& distro) {
  wanted_.insert(distro);
  refusals_.erase(distro);
  log::info("share.wanted", {{"distro", distro}});
  loop_.defer(lifetime_.guard([this, distro] {
    // One that subscribes meanwhile asks for wanted() itself.
    const auto now = subscribers_;
    for (const auto& subscriber : now) subscriber(distro);
  }));
}

void DistroRequests::attached(const std::string& distro) {
  wanted_.erase(distro);
  refusals_.erase(distro);
  end_waiters(distro, true);
}

bool DistroRequests::not_started(const std::string& distro, const std::string& reason) {
  if (wanted_.erase(distro) == 0) return false;
  refusals_[distro] = reason;
  end_waiters(distro, false);
  return true;
}

void DistroRequests::forget(const std::string& distro) {
  wanted_.erase(distro);
  refusals_.erase(distro);
  end_waiters(distro, false);
}

std::string DistroRequests::why_not_started(std::string_view distro) const {
  const auto found = refusals_.find(distro);
  return found == refusals_.end() ? "" : found->second;
}

void DistroRequests::wait(std::string_view distro, bool there, std::uint64_t timeout_ms,
                          Done done) {
  const auto id = next_waiter_++;
  auto& waiter = waiters_[id];
  waiter.distro = distro;
  waiter.done = std::move(done);
  if (there) return end_waiter(id, true);
  waiter.timer = std::make_unique<io::Timer>(loop_);
  waiter.timer->start(timeout_ms, [this, id] { end_waiter(id, false); });
}

void DistroRequests::end_waiters(const std::string& distro, bool there) {
  std::vector<std::uint64_t> ended;
  for (const auto& [id, waiter] : waiters_)
    if (waiter.distro == distro) ended.push_back(id);
  for (const auto id : ended) end_waiter(id, there);
}

void DistroRequests::end_waiter(std::uint64_t id, bool there) {
  auto node = waiters_.extract(id);
  if (node.empty()) return;
  // Deferred with its timer, which may be what calls.
  auto waiter = std::make_shared<Waiter>(std::move(node.mapped()));
  loop_.defer(lifetime_.guard([waiter, there] { waiter->done(there); }));
}

}  // namespace causeway::shares
