// ShareTree is the mounts of one share, wherever its root is attached at the moment: in the staging
// directory while it is put together, below /mnt/distro from then on. It makes mounts out of what
// the helper sends, and takes away only what it made.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "mounts/mount_calls.h"
#include "paths/mount_info.h"

namespace causeway::shares {

// Which part of which file system is mounted at a point of the distro.
struct SharedMount {
  std::string device;  // "8:1"
  std::string root;
  bool operator==(const SharedMount&) const = default;
};
using SharedMounts = std::map<std::string, SharedMount, std::less<>>;  // by point: "/", "/home"

class ShareTree {
 public:
  // `base`: the directory that the root is attached on. `mounts`: what is known to be ours, of an
  // earlier agent.
  explicit ShareTree(std::string base, SharedMounts mounts = {}, mounts::Release release = {});

  // Makes `tree` receive only and attaches it at `point`, unless it is there: propagation may have
  // brought it. Another mount of ours at that point goes first. The point "/" comes first.
  // True when it was attached. No file system is asked for the way to `point`: code EAGAIN when the
  // kernel's cache doesn't know it, as may be below one that is away. Then `target`, opened by
  // somebody who can wait, does for it.
  Result<bool> add(const std::string& point, const SharedMount& what, int tree,
                   UniqueFd target = {});
  // Takes our mount at `point` away, with what is on it. One that isn't ours, or isn't visible, is
  // only forgotten.
  Status remove(const std::string& point);
  // Removes the mounts of ours that aren't in `points`.
  void keep_only(const std::vector<std::string>& points);

  // The engine's /dev, /proc, /sys and <wsl> over the distro's empty directories: a container that
  // mounts the share's root finds them. `wsl` as the distro names it, or empty. Problems are
  // returned: each only means that this one is missing.
  std::vector<Error> add_engine_mounts(const std::string& engine_wsl, const std::string& wsl);

  // The root moves with everything below it.
  void moved(std::string base);

  const std::string& base() const { return base_; }
  const SharedMounts& mounts() const { return mounts_; }
  std::optional<SharedMount> root() const;
  // The root as an O_PATH descriptor.
  Result<UniqueFd> open_root() const;

 private:
  void record(const std::string& point, const SharedMount& what);
  const paths::MountEntry* entry_of(int mount_id, bool read_again);
  std::optional<SharedMount> shown_by(int fd, const SharedMount* expected);

  std::string base_;
  SharedMounts mounts_;
  mounts::Release release_;
  std::vector<paths::MountEntry> seen_;  // mountinfo, read when needed
};

}  // namespace causeway::shares
