// PathWatch tells when a file comes into being (or is replaced) at a path, by inotify on its
// directory: how one waits for a socket or a ready-file without polling. Where the directory
// doesn't exist yet, the nearest existing parent is watched.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::io {

class PathWatch {
 public:
  // `changed` is called after each event that may concern the path: look again then. Look once
  // yourself after the construction: what was there before gives no event.
  // `within`: a directory above `path` that others may mount things below: what they mount is never
  // looked into, since its file system may be away.
  static Result<std::unique_ptr<PathWatch>> start(Loop& loop, std::string path,
                                                  std::function<void()> changed,
                                                  std::string within = {});

 private:
  PathWatch(Loop& loop, UniqueFd inotify, std::string path, std::function<void()> changed,
            std::string within);
  void add_watches();
  bool add_watch(const std::string& directory) const;
  void on_readable();

  UniqueFd fd_;
  std::string path_;
  std::string within_;
  std::function<void()> changed_;
  Poll poll_;
};

}  // namespace causeway::io
