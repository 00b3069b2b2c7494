// /proc/<pid>/mountinfo (proc(5)) as data, and the question "which mount does this path lie on?".
// Pure: the text comes from the caller.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace causeway::paths {

struct MountEntry {
  int id = 0;
  int parent = 0;
  std::string device;       // "8:1": major and minor number of the file system
  std::string root;         // the part of the file system that is mounted
  std::string mount_point;  // unescaped
  std::string options;      // per mount
  std::string propagation;  // optional fields: "shared:1 master:2", empty for private
  std::string fs_type;
  std::string source;
  std::string super_options;  // as the kernel prints them: blanks may be in them, and backslashes

  bool has_super_option(std::string_view option) const;
};

// In the file's order; lines that don't parse are left out.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

// The mount that `path` (absolute, without symlinks and "..") resolves to, over-mounts respected;
// null when the text doesn't even hold a root.
const MountEntry* mount_of(const std::vector<MountEntry>& mounts, std::string_view path);

// The visible mount whose mount point is exactly `path`, or null.
const MountEntry* mounted_at(const std::vector<MountEntry>& mounts, std::string_view path);

}  // namespace causeway::paths
