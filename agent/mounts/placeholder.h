// Placeholder is the permanent read-only tmpfs below which shares are attached. Where a share is
// missing, its directory is missing too and can't be made: dockerd then refuses to start a
// container instead of starting it on an empty directory (measured).
//
// The visible mount is never writable. Directories are made and removed through a detached writable
// copy that nobody else sees.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "mounts/mount_calls.h"

namespace causeway::mounts {

class Placeholder {
 public:
  // Mounts it on `path` (the directory is made), unless ours is there already. An error when
  // somebody else's mount is.
  static Result<Placeholder> at(std::string path, Release release = {});

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }

  // Attaches the detached (or, from a private mount, attached) tree at `name`. What fails leaves no
  // directory behind.
  Status attach(int tree, const std::string& name) const;

  // Unmounts everything at `name` and removes its directory. Mount namespaces of others that still
  // showed the share there lose it as well: the kernel takes a removed directory's mounts away
  // everywhere. Nothing there is fine.
  Status detach(const std::string& name) const;

  // The directories that there are: after a kill also one without a mount.
  Result<std::vector<std::string>> names() const;
  bool mounted(const std::string& name) const;

 private:
  Placeholder(std::string path, Release release)
      : path_(std::move(path)), release_(std::move(release)) {}
  Result<UniqueFd> writable() const;

  std::string path_;
  Release release_;  // of what detach() takes away
};

// A private tmpfs on `path` for shares that are being put together: moving a whole tree to its
// place later is possible only from a parent that isn't shared. What is there from before is
// detached.
Status make_staging(const std::string& path);

}  // namespace causeway::mounts
