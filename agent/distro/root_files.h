// Files below one root: the distro's "/" (a folder in tests), or a user's home. Names are looked up
// in the root as the distro itself would (links, ".." and absolute targets stay in it), by
// descriptors. In a home no link is followed at all: its owner may have planted one.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "mounts/open_in_root.h"

namespace causeway::distro {

class RootFiles {
 public:
  static Result<RootFiles> open(const std::string& root);
  // The directory `path` in this root as a root of its own, in which no link is followed.
  Result<RootFiles> home(const std::string& path) const;

  int fd() const { return fd_.get(); }

  // Paths are absolute, in the root. The last part is never followed.

  // What is there; nothing when nothing is.
  Result<std::optional<struct stat>> look(const std::string& path) const;
  // A regular file's content, at most `limit` bytes. Code ENOENT when it isn't there.
  Result<std::string> read(const std::string& path, std::size_t limit = 1 << 20) const;
  // The same of what a link leads to within the root: to be looked at only, never to be replaced.
  Result<std::string> read_followed(const std::string& path, std::size_t limit = 1 << 20) const;
  Result<std::string> read_link(const std::string& path) const;
  // Names in a directory but "." and "..", sorted; a link to a directory is followed.
  Result<std::vector<std::string>> list(const std::string& path) const;

  // Code EEXIST when something is there already.
  Status make_directory(const std::string& path, mode_t mode) const;
  Status make_link(const std::string& path, const std::string& target) const;
  // A new file, as a whole or not at all.
  Status create(const std::string& path, std::string_view content, mode_t mode) const;
  // The same in place of whatever file is there.
  Status put(const std::string& path, std::string_view content, mode_t mode) const;
  // In place of the link that is there.
  Status replace_link(const std::string& path, const std::string& target) const;
  // The file's new content, as a whole or not at all; mode, owner and extended attributes stay.
  // Code EAGAIN: the file isn't the one that held `expected` any more, and nothing was done.
  Status replace(const std::string& path, std::string_view expected,
                 std::string_view content) const;

  // Nothing there is fine for both; a directory that isn't empty is code ENOTEMPTY.
  Status remove(const std::string& path) const;
  Status remove_directory(const std::string& path) const;
  // What create(), put(), replace() and replace_link() leave beside `path` when they are killed.
  void remove_temporary(const std::string& path) const;

  // Opened with `flags` (and O_CLOEXEC), the last part followed like the others.
  Result<UniqueFd> open_at(const std::string& path, int flags) const;

 private:
  struct Entry {
    UniqueFd directory;
    std::string name;
  };
  RootFiles(UniqueFd fd, mounts::Lookup lookup) : fd_(std::move(fd)), lookup_(lookup) {}
  Result<Entry> entry(const std::string& path) const;
  Status write_temporary(const Entry& entry, const std::string& name, std::string_view content,
                         mode_t mode, int like) const;

  UniqueFd fd_;
  mounts::Lookup lookup_;
};

// While it lives this thread touches files as the user does (setfsuid(2)): what it makes is the
// user's, and it can do nothing that the user couldn't.
class AsUser {
 public:
  AsUser(uid_t uid, gid_t gid);
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
};

}  // namespace causeway::distro
