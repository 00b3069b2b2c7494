// Walkers has the Walker of each distro, made when it is first needed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "io/loop.h"
#include "paths/mount_info.h"
#include "process/reaper.h"
#include "shares/walker.h"

namespace causeway::shares {

class Walkers {
 public:
  // `directory`: where the shares are. `changed`: what problems() shows. `loop` outlives it.
  Walkers(io::Loop& loop, std::string directory, StartWalk start, std::function<void()> changed);
  Walkers(const Walkers&) = delete;
  Walkers& operator=(const Walkers&) = delete;

  Walker& of(const std::string& distro);
  // mounts::Release of what belongs to no distro.
  void drop(UniqueFd tree) { of("").drop(std::move(tree)); }
  // The distro's share is gone.
  void stop(const std::string& distro);
  void mounts_changed(const std::vector<paths::MountEntry>& mounts);

  // What hangs, for people.
  std::vector<std::string> problems() const;

 private:
  io::Loop& loop_;
  const std::string directory_;
  const StartWalk start_;
  const std::function<void()> changed_;
  process::Reaper reaper_;
  std::map<std::string, std::unique_ptr<Walker>, std::less<>> walkers_;
};

}  // namespace causeway::shares
