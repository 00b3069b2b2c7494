// FolderWatch tells when something in one of several directories changes, with one inotify
// instance: root has 128 of them for all distros together (fs.inotify.max_user_instances).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::distro {

class FolderWatch {
 public:
  // Absolute paths. Of one that isn't there the nearest parent that is there is watched. `changed`
  // may destroy the watch; what was there before gives no event.
  static Result<std::unique_ptr<FolderWatch>> start(io::Loop& loop,
                                                    std::vector<std::string> folders,
                                                    std::function<void()> changed);

 private:
  FolderWatch(io::Loop& loop, UniqueFd inotify, std::vector<std::string> folders,
              std::function<void()> changed);
  void add_watches();
  void on_readable();

  UniqueFd fd_;
  std::vector<std::string> folders_;
  std::shared_ptr<std::function<void()>> changed_;  // shared: it may run while it destroys us
  io::Poll poll_;
};

}  // namespace causeway::distro
