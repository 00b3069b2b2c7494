// HelperListener accepts the helpers: it keeps the rendezvous directory in order and hands over
// each connection whose other end is root's. What is wrong with it, another agent there included,
// is looked at again when something there changes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "handover/share_socket.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"
#include "shares/rendezvous_directory.h"

namespace causeway::shares {

class HelperListener {
 public:
  struct Paths {
    std::string wsl;
    std::string program;  // to copy
  };
  // `accepted` and `changed` (problem() is another) are never called from within a call of the
  // owner, but `changed` in start().
  HelperListener(io::Loop& loop, Paths paths, std::function<void(UniqueFd)> accepted,
                 std::function<void()> changed);

  void start();
  // Helpers that were refused say hello again.
  void call_again();

  // Mounts have changed: what was in the way may be gone.
  void mounts_changed() {
    if (!problem_.empty()) check();
  }
  const std::string& problem() const { return problem_; }  // empty: helpers can come
  // Where what somebody had planted at our place is now; empty: nothing was.
  const std::string& put_aside() const { return put_aside_; }
  const Paths& paths() const { return paths_; }

 private:
  void check();
  bool check_once();
  Status put_in_order();
  Status listen(const RendezvousDirectory& directory);
  void on_connection(UniqueFd connected);

  io::Loop& loop_;
  const Paths paths_;
  std::function<void(UniqueFd)> accepted_;
  std::function<void()> changed_;
  std::string problem_;
  std::string put_aside_;
  RendezvousLock lock_;
  handover::FileId socket_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<io::PathWatch>> watches_;
  io::Timer after_close_;
};

}  // namespace causeway::shares
