// MountWatch tells that something was mounted or unmounted in our mount namespace: the event of
// /proc/self/mountinfo (proc(5)). Several changes may be told as one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"
#include "io/timer.h"

namespace causeway::mounts {

class MountWatch {
 public:
  // Collects the dozen changes of one container's start: who watches the engine's mounts has time.
  static constexpr std::uint64_t kCollectMs = 20;

  // `changed` is called so long after a change, once for all that came meanwhile; and once soon
  // after the start: what happened before the watch took effect gives no event. It may not destroy
  // the watch.
  static Result<std::unique_ptr<MountWatch>> start(io::Loop& loop, std::uint64_t collect_ms,
                                                   std::function<void()> changed);

 private:
  MountWatch(io::Loop& loop, UniqueFd mountinfo, std::uint64_t collect_ms,
             std::function<void()> changed);

  UniqueFd fd_;
  std::function<void()> changed_;
  Lifetime lifetime_;
  io::Timer quiet_;
  io::Poll poll_;
};

}  // namespace causeway::mounts
