#include "paths/mount_table.h"

#include <algorithm>
#include <array>
#include <optional>

#include "paths/engine_places.h"
#include "paths/unix_path.h"

namespace causeway::paths {
namespace {

// Every namespace has its own of these, or the engine has the same one already.
constexpr std::array<std::string_view, 20> kKernelTypes = {
    "proc",     "sysfs",      "devtmpfs", "devpts",      "mqueue",     "cgroup",   "cgroup2",
    "nsfs",     "securityfs", "bpf",      "tracefs",     "debugfs",    "configfs", "pstore",
    "efivarfs", "autofs",     "fusectl",  "binfmt_misc", "rpc_pipefs", "hugetlbfs"};

// The engine's own, Windows' libraries, our tools, WSL's hidden mount of all drives at once, and
// what only the engine should have.
constexpr std::array<std::string_view, 7> kNotShared = {
    "/proc", "/sys", "/dev", "/usr/lib/wsl", "/usr/local/lib/causeway", "/run/wsl", kShares};

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

bool is_drvfs(const MountEntry& entry) {
  return (entry.fs_type == "9p" && entry.super_options.find("aname=drvfs") != std::string::npos) ||
         (entry.fs_type == "virtiofs" && entry.source.starts_with("drvfs")) ||
         entry.fs_type == "drvfs";
}

// WSL mounts drive X at <automount.root>/x, and <wsl> beside it.
bool on_letter_beside(const std::string& point, const std::string& wsl) {
  const char letter = point.back();
  return !wsl.empty() && point.size() >= 2 && point[point.size() - 2] == '/' && letter >= 'a' &&
         letter <= 'z' && parent_of(point) == parent_of(wsl);
}

// "C:\Music\old" is drive c and "/Music/old"; nothing for other texts. `bare`: "C:" and "C:/x" too.
std::optional<Drive> windows_source(std::string_view text, bool bare) {
  if (text.size() < 2 || text[1] != ':') return std::nullopt;
  const char letter = static_cast<char>(text[0] | 0x20);
  if (letter < 'a' || letter > 'z') return std::nullopt;
  const auto rest = text.substr(2);
  if (rest.empty() ? !bare : rest[0] != '\\' && !(bare && rest[0] == '/')) return std::nullopt;
  std::string folders(rest);
  std::replace(folders.begin(), folders.end(), '\\', '/');
  folders = clean(folders);
  return Drive{"", letter, folders == "/" ? "" : std::move(folders)};
}

// The share's path among 9p's options: "rw,dirsync,aname=drvfs;path=C:\;uid=1000;…,mmap,…".
std::string_view drvfs_path(std::string_view options) {
  constexpr std::string_view kName = "aname=drvfs";
  constexpr std::string_view kPath = ";path=";
  const auto name = options.find(kName);
  if (name == std::string_view::npos) return {};
  options = options.substr(name);
  options = options.substr(0, options.find(','));
  const auto path = options.find(kPath);
  if (path == std::string_view::npos) return {};
  options = options.substr(path + kPath.size());
  return options.substr(0, options.find(';'));
}

// Which drive this mount itself names. 9p (mount.drvfs of WSL): the source is what the user wrote,
// or "drvfs" when virtio carries it; then the options tell. Network shares have no letter.
std::optional<Drive> named_drive(const MountEntry& entry) {
  auto drive = windows_source(entry.source, is_drvfs(entry));
  if (!drive && is_drvfs(entry)) drive = windows_source(drvfs_path(entry.super_options), true);
  if (!drive) return std::nullopt;
  if (entry.root != "/") drive->below += entry.root;
  drive->point = entry.mount_point;
  return drive;
}

// virtiofs names drives by tags ("drvfsC0", a GUID) or by folders of one device that holds all
// drives, depending on WSL's version (WSL pull request 41129). The mounts beside <wsl> are whole
// drives; any other mount is known by showing a part of one of these.
std::optional<Drive> virtiofs_drive(const std::vector<MountEntry>& mounts, const std::string& wsl,
                                    const MountEntry& entry) {
  if (entry.fs_type != "virtiofs") return std::nullopt;
  for (const auto& whole : mounts) {
    if (whole.fs_type != "virtiofs" || whole.device != entry.device ||
        !on_letter_beside(whole.mount_point, wsl) || !is_at_or_below(entry.root, whole.root))
      continue;
    Drive drive{entry.mount_point, whole.mount_point.back(), ""};
    if (entry.root != whole.root)
      drive.below = entry.root.substr(whole.root == "/" ? 0 : whole.root.size());
    return drive;
  }
  return std::nullopt;
}

std::optional<Drive> drive_of(const std::vector<MountEntry>& mounts, const std::string& wsl,
                              const MountEntry& entry) {
  if (entry.mount_point == "/") return std::nullopt;
  auto drive = named_drive(entry);
  return drive ? drive : virtiofs_drive(mounts, wsl, entry);
}

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
  if (contains(kKernelTypes, entry.fs_type) || point.find("//") != std::string::npos) return false;
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
  for (const auto& entry : mounts) {
    auto drive = drive_of(mounts, table.wsl, entry);
    if (drive && visible(mounts, entry)) table.drives.push_back(std::move(*drive));
  }
  std::sort(table.drives.begin(), table.drives.end(),
            [](const Drive& a, const Drive& b) { return a.point < b.point; });
  return table;
}

std::vector<ShareMount> plan_share(const std::vector<MountEntry>& mounts) {
  const std::string wsl = find_wsl(mounts);
  std::vector<ShareMount> out;
  for (const auto& entry : mounts) {
    if (!is_shared(entry, wsl) || drive_of(mounts, wsl, entry) || !visible(mounts, entry)) continue;
    out.push_back(
        {entry.id, entry.parent, entry.mount_point, entry.fs_type, entry.device, entry.root});
  }
  // A directory's path sorts before the paths below it.
  std::sort(out.begin(), out.end(),
            [](const ShareMount& a, const ShareMount& b) { return a.point < b.point; });
  return out;
}

}  // namespace causeway::paths
