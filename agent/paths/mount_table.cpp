#include "paths/mount_table.h"

#include <algorithm>

#include "paths/unix_path.h"

namespace causeway::paths {
namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

std::string find_wsl(const std::vector<MountEntry>& mounts) {
  std::string found;
  for (const auto& entry : mounts) {
    const auto& point = entry.mount_point;
    if (entry.fs_type != "tmpfs" || !point.ends_with("/wsl")) continue;
    if (point == "/mnt/wsl") return point;
    // A user's tmpfs deep in the tree may be called the same; the shortest path is WSL's.
    if (found.empty() || point.size() < found.size()) found = point;
  }
  return found;
}

std::vector<std::string> find_drives(const std::vector<MountEntry>& mounts,
                                     const std::string& wsl) {
  std::vector<std::string> out;
  for (const auto& entry : mounts) {
    const auto& point = entry.mount_point;
    const bool drvfs =
        (entry.fs_type == "9p" && entry.super_options.find("aname=drvfs") != std::string::npos) ||
        (entry.fs_type == "virtiofs" && entry.source.starts_with("drvfs")) ||
        entry.fs_type == "drvfs";
    const char letter = point.back();
    const bool beside_wsl = !wsl.empty() && point.size() >= 2 && point[point.size() - 2] == '/' &&
                            letter >= 'a' && letter <= 'z' && parent_of(point) == parent_of(wsl);
    // WSL's own libraries are a drvfs mount as well; they are carried by name.
    if ((!drvfs && !beside_wsl) || point == "/" || is_below(point, "/usr/lib/wsl")) continue;
    if (mounted_at(mounts, point) != nullptr) out.push_back(point);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  std::vector<std::string> outermost;
  for (auto& point : out)
    if (std::none_of(outermost.begin(), outermost.end(),
                     [&](const std::string& other) { return is_below(point, other); }))
      outermost.push_back(std::move(point));
  return outermost;
}

}  // namespace causeway::paths
