// MountWatch tells that something was mounted or unmounted in our mount namespace: the event of
// /proc/self/mountinfo (proc(5)). An engine mounts much; several changes are told as one.
#pragma once

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
  // `changed` is called after each change, and once soon after the start: what happened before the
  // watch took effect gives no event. It may not destroy the watch.
  static Result<std::unique_ptr<MountWatch>> start(io::Loop& loop, std::function<void()> changed);

 private:
  MountWatch(io::Loop& loop, UniqueFd mountinfo, std::function<void()> changed);

  UniqueFd fd_;
  std::function<void()> changed_;
  Lifetime lifetime_;
  io::Timer quiet_;
  io::Poll poll_;
};

}  // namespace causeway::mounts
