// The manifest says what we have added to the distro, so that it can be taken away exactly. It is
// on disk before the thing that it tells of: killed anywhere, a later helper finds everything.
// Whoever undoes must therefore bear that an entry's thing was never made.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "distro/root_files.h"

namespace causeway::distro {

struct Addition {
  enum class Kind {
    directory,  // `path`
    link,       // `path` → `content`
    file,       // `path` with `content`
    line,       // `content`, a line of the file `path`
    member,     // `user` of group `group` in the file `path`
    socket,     // `path`, the file with `inode` and `bound_ns`; both 0: not known yet
  };
  Kind kind = Kind::directory;
  std::string path;
  std::string content;
  std::string group;
  std::string user;
  bool separated = false;  // line, member: see group_text.h
  // directory, file: in the home at this path, whose owner they belong to; empty: root's
  std::string home;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t inode = 0;
  std::int64_t bound_ns = 0;  // its modification time: a new tmpfs counts inodes from 1 again
  bool operator==(const Addition&) const = default;

  // The same thing, whatever else is to be said of it.
  bool same_thing(const Addition& other) const;
};

class Manifest {
 public:
  static constexpr const char* kDirectory = "/var/lib/causeway";
  static constexpr const char* kPath = "/var/lib/causeway/integration.json";

  // Empty when there is none. One that can't be read or understood is an error: nothing may be
  // added then, for it couldn't be taken away. `files` outlives it.
  static Result<Manifest> load(const RootFiles& files);

  const std::vector<Addition>& additions() const { return additions_; }
  const Addition* find(const Addition& thing) const;

  // Writes all of them down before it returns, those known already with what is said of them now.
  Status add(const std::vector<Addition>& additions);
  Status add(const Addition& addition) { return add(std::vector<Addition>{addition}); }
  // Forgets those for which it is true; the file goes with the last one, and what a killed helper
  // has left of an empty manifest goes too.
  Status forget(const std::function<bool(const Addition&)>& which);

 private:
  explicit Manifest(const RootFiles& files) : files_(&files) {}
  Status save(std::vector<Addition> additions);
  Status make_directories();
  Status remove_all();

  const RootFiles* files_;
  std::vector<std::string> made_;    // directories above the manifest's own that weren't there
  std::vector<Addition> additions_;  // in the order of their making; what the file has
};

}  // namespace causeway::distro
