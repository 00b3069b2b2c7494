// Listener accepts connections on a listening socket that it owns. Out of descriptors: it pauses
// until one is free instead of spinning.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"
#include "io/timer.h"

namespace causeway::io {

class Listener {
 public:
  // `accepted` gets non-blocking, close-on-exec descriptors. `died`, if given, is told when the
  // socket itself can't accept ever again, as a vsock listener may become; without it that is tried
  // again, too. Either may destroy the Listener.
  Listener(Loop& loop, UniqueFd listening, std::function<void(UniqueFd)> accepted,
           std::function<void(const Error&)> died = {});

  // No more connections until resume(); those in the backlog wait.
  void pause();
  void resume();
  // Whether somebody waits in the backlog.
  bool has_waiting() const;
  int fd() const { return fd_.get(); }

 private:
  void on_readable();
  bool hung_up() const;

  UniqueFd fd_;
  std::function<void(UniqueFd)> accepted_;
  std::function<void(const Error&)> died_;
  Lifetime lifetime_;
  Timer retry_;  // only when accept failed for want of resources: no event tells when that ends
  Poll poll_;
};

}  // namespace causeway::io
