// What a distro's mounts mean to us: where WSL's own things are, which drives of Windows are where,
// and which mounts make up the distro's share. Pure functions over paths/mount_info.h.
#pragma once

#include <string>
#include <vector>

#include "paths/mount_info.h"

namespace causeway::paths {

struct Drive {
  std::string point;  // where in the distro: "/mnt/c"
  char letter = 0;    // 'c'
  std::string below;  // the part of the drive that is mounted: "" for all of it, or "/Music/old"
  bool operator==(const Drive&) const = default;
};

// What of a distro's mounts the path map needs.
struct MountTable {
  std::string wsl;            // "/mnt/wsl"; empty when there is none
  std::vector<Drive> drives;  // visible ones, by mount point
  bool operator==(const MountTable&) const = default;
};

MountTable summarize(const std::vector<MountEntry>& mounts);

struct ShareMount {
  int id = 0;
  int parent = 0;  // as in mountinfo: it may be a mount that isn't shared
  std::string point;
  std::string fs_type;
  std::string device;
  std::string root;
  bool operator==(const ShareMount&) const = default;
};

// The mounts of a distro that its share consists of, parents first: visible ones, without the
// kernel's own file systems but those at /dev, what every distro has anyway (<wsl>, drives, WSL's
// libraries, our tools) and what container engines mount for themselves. Beginning with "/" itself.
// A drvfs mount without a drive letter (a network share) is a mount like any other.
std::vector<ShareMount> plan_share(const std::vector<MountEntry>& mounts);

// WSL's shared tmpfs, by default /mnt/wsl, at <automount.root>/wsl otherwise; empty when there is
// none.
std::string find_wsl(const std::vector<MountEntry>& mounts);

// Mount points that hold Windows drives: drvfs as 9p or virtiofs, and every mount on a single
// letter beside `wsl`. Outermost ones only.
std::vector<std::string> find_drives(const std::vector<MountEntry>& mounts, const std::string& wsl);

}  // namespace causeway::paths
