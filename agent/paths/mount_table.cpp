#include "paths/mount_table.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "paths/engine_paths.h"
#include "paths/unix_path.h"

namespace causeway::paths {
namespace {

// Every namespace has its own of these, or the engine has the same one already.
constexpr std::array<std::string_view, 20> kKernelTypes = {
    "proc",     "sysfs",      "devtmpfs", "devpts",      "mqueue",     "cgroup",   "cgroup2",
    "nsfs",     "securityfs", "bpf",      "tracefs",     "debugfs",    "configfs", "pstore",
    "efivarfs", "autofs",     "fusectl",  "binfmt_misc", "rpc_pipefs", "hugetlbfs"};

// Of /dev each distro has its own: the log's socket, shared memory, terminals.
constexpr std::array<std::string_view, 4> kDeviceTypes = {"devtmpfs", "devpts", "mqueue",
                                                          "hugetlbfs"};

// The engine's own, Windows' libraries, our tools, WSL's hidden mount of all drives at once, and
// what only the engine should have.
constexpr std::array<std::string_view, 6> kNotShared = {
    "/proc", "/sys", "/usr/lib/wsl", "/usr/local/lib/causeway", "/run/wsl", kShares};

// What container engines mount for each of their containers. A disk that a user put below their
// data is the user's, so only the types they make themselves are left out there.
struct EngineFolder {
  std::string_view path;
  bool user_disks;
};
constexpr std::array<EngineFolder, 7> kEngineFolders = {{{"/var/lib/docker", true},
                                                         {"/var/lib/containerd", true},
                                                         {"/var/lib/containers", true},
                                                         {"/var/snap", true},
                                                         {"/var/lib/kubelet", false},
                                                         {"/run/docker", false},
                                                         {"/run/containerd", false}}};
constexpr std::array<std::string_view, 4> kEngineTypes = {"overlay", "aufs", "fuse.fuse-overlayfs",
                                                          "tmpfs"};

template <typename List>
bool contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash);
}

bool visible(const std::vector<MountEntry>& mounts, const MountEntry& entry) {
  return mounted_at(mounts, entry.mount_point) == &entry;
}

// What 9p was asked for, "drvfs;path=C:\;uid=1000;…" of "rw,dirsync,aname=drvfs;path=C:\;…,mmap";
// empty when it is nothing of drvfs.
std::string_view drvfs_name(const MountEntry& entry) {
  constexpr std::string_view kName = "aname=drvfs";
  for (const auto option : text::split(entry.super_options, ','))
    if (option.starts_with(kName) && (option.size() == kName.size() || option[kName.size()] == ';'))
      return option.substr(option.find('=') + 1);
  return {};
}

// By its type: users may mount file systems of their own (FUSE) whose texts say anything.
bool is_drvfs(const MountEntry& entry) {
  return (entry.fs_type == "9p" && !drvfs_name(entry).empty()) ||
         (entry.fs_type == "virtiofs" && entry.source.starts_with("drvfs")) ||
         entry.fs_type == "drvfs";
}

// WSL mounts drive X at <automount.root>/x, and <wsl> beside it.
bool on_letter_beside(const std::string& point, const std::string& wsl) {
  const char letter = point.back();
  return !wsl.empty() && point.size() >= 2 && point[point.size() - 2] == '/' && letter >= 'a' &&
         letter <= 'z' && parent_of(point) == parent_of(wsl);
}

// "C:\Music\old" is drive c and "/Music/old", "C:" and "C:/x" too; nothing for other texts.
std::optional<Drive> windows_source(std::string_view text) {
  if (text.size() < 2 || text[1] != ':' || !is_letter(text[0])) return std::nullopt;
  const auto rest = text.substr(2);
  if (!rest.empty() && rest[0] != '\\' && rest[0] != '/') return std::nullopt;
  std::string folders(rest);
  std::replace(folders.begin(), folders.end(), '\\', '/');
  folders = clean(folders);
  return Drive{"", lower_letter(text[0]), folders == "/" ? "" : std::move(folders)};
}

// The share's path among 9p's options: "drvfs;path=C:\My Documents;uid=1000;…".
std::string_view drvfs_path(std::string_view name) {
  constexpr std::string_view kPath = ";path=";
  const auto path = name.find(kPath);
  if (path == std::string_view::npos) return {};
  name = name.substr(path + kPath.size());
  return name.substr(0, name.find(';'));
}

// Which drive this mount itself names. 9p (mount.drvfs of WSL): the source is what the user wrote,
// or "drvfs" when virtio carries it; then the options tell. Network shares have no letter.
std::optional<Drive> named_drive(const MountEntry& entry) {
  if (!is_drvfs(entry)) return std::nullopt;
  auto drive = windows_source(entry.source);
  if (!drive) drive = windows_source(drvfs_path(drvfs_name(entry)));
  if (!drive) return std::nullopt;
  if (entry.root != "/") drive->below += entry.root;
  drive->point = entry.mount_point;
  return drive;
}

// A whole drive where WSL mounts it, which only root can do. virtiofs names drives by tags
// ("drvfsC0", a GUID) or by folders of one device that holds all drives, depending on WSL's version
// (WSL pull request 41129), so there the place tells. A file system of another type must say the
// same drive itself; one of a user's (FUSE) never counts.
bool is_whole_drive(const MountEntry& entry, const std::string& wsl) {
  if (!on_letter_beside(entry.mount_point, wsl)) return false;
  if (entry.fs_type == "virtiofs") return true;
  if (entry.fs_type.starts_with("fuse")) return false;
  const auto said = windows_source(entry.source);
  return said && said->below.empty() && said->letter == entry.mount_point.back();
}

// The drives among the mounts of one namespace.
class DriveFinder {
 public:
  DriveFinder(const std::vector<MountEntry>& mounts, const std::string& wsl) {
    for (const auto& entry : mounts)
      if (is_whole_drive(entry, wsl)) whole_.push_back(&entry);
  }

  // The drive, or the part of one, that this mount shows.
  std::optional<Drive> find(const MountEntry& entry) const {
    if (entry.mount_point == "/") return std::nullopt;
    auto drive = named_drive(entry);
    return drive ? drive : shown(entry);
  }

 private:
  // What shows a part of a whole drive is on the same device.
  std::optional<Drive> shown(const MountEntry& entry) const {
    for (const auto* whole : whole_) {
      if (whole->device != entry.device || whole->fs_type != entry.fs_type ||
          !is_at_or_below(entry.root, whole->root))
        continue;
      Drive drive{entry.mount_point, whole->mount_point.back(), ""};
      if (entry.root != whole->root)
        drive.below = entry.root.substr(whole->root == "/" ? 0 : whole->root.size());
      return drive;
    }
    return std::nullopt;
  }

  std::vector<const MountEntry*> whole_;
};

bool made_by_an_engine(const MountEntry& entry) {
  return std::any_of(kEngineFolders.begin(), kEngineFolders.end(), [&](const EngineFolder& folder) {
    return is_below(entry.mount_point, folder.path) &&
           (!folder.user_disks || contains(kEngineTypes, entry.fs_type));
  });
}

bool is_shared(const MountEntry& entry, const std::string& wsl) {
  const auto& point = entry.mount_point;
  if (point == "/") return true;
  // "//deleted" stands behind a mount point whose directory is gone: nobody can get there.
  if (point.find("//") != std::string::npos) return false;
  if (contains(kKernelTypes, entry.fs_type) &&
      !(is_at_or_below(point, "/dev") && contains(kDeviceTypes, entry.fs_type)))
    return false;
  if (!wsl.empty() && is_at_or_below(point, wsl)) return false;
  return std::none_of(kNotShared.begin(), kNotShared.end(),
                      [&](std::string_view path) { return is_at_or_below(point, path); }) &&
         !made_by_an_engine(entry);
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
    // WSL's own libraries are a drvfs mount as well; they are carried by name.
    if ((!is_drvfs(entry) && !on_letter_beside(point, wsl)) || point == "/" ||
        is_below(point, "/usr/lib/wsl") || is_below(point, "/run/wsl"))
      continue;
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

MountTable summarize(const std::vector<MountEntry>& mounts) {
  MountTable table;
  table.wsl = find_wsl(mounts);
  const DriveFinder drives(mounts, table.wsl);
  for (const auto& entry : mounts) {
    auto drive = drives.find(entry);
    if (drive && visible(mounts, entry)) table.drives.push_back(std::move(*drive));
  }
  std::sort(table.drives.begin(), table.drives.end(),
            [](const Drive& a, const Drive& b) { return a.point < b.point; });
  return table;
}

std::vector<ShareMount> plan_share(const std::vector<MountEntry>& mounts) {
  const std::string wsl = find_wsl(mounts);
  const DriveFinder drives(mounts, wsl);
  std::vector<ShareMount> out;
  for (const auto& entry : mounts) {
    if (!is_shared(entry, wsl) || drives.find(entry) || !visible(mounts, entry)) continue;
    out.push_back(
        {entry.id, entry.parent, entry.mount_point, entry.fs_type, entry.device, entry.root});
  }
  // A directory's path sorts before the paths below it.
  std::sort(out.begin(), out.end(),
            [](const ShareMount& a, const ShareMount& b) { return a.point < b.point; });
  return out;
}

}  // namespace causeway::paths
