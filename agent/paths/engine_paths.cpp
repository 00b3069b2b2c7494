#include "paths/engine_paths.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "paths/path_mapper.h"
#include "paths/unix_path.h"

namespace causeway::paths {
namespace {

constexpr std::array<std::string_view, 5> kEnginesOwn = {"/dev", "/proc", "/sys", "/lib/modules",
                                                         "/usr/lib/wsl"};
// Where /lib is a link, resolving gives this; the engine's distro need not have that link.
constexpr std::string_view kMergedModules = "/usr/lib/modules";

constexpr std::array<std::string_view, 5> kEachHasItsOwn = {
    "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/pts", "/dev/log"};
// Links into /proc/self.
constexpr std::array<std::string_view, 4> kOpenFiles = {"/dev/fd", "/dev/stdin", "/dev/stdout",
                                                        "/dev/stderr"};

// Docker Desktop has its VM's view of <wsl> beside the drives.
constexpr std::string_view kDesktop = "/run/desktop";
constexpr std::string_view kDesktopHost = "/run/desktop/mnt/host";
constexpr std::array<std::string_view, 3> kForeignDrives = {kDesktopHost, "/host_mnt", "/cygdrive"};

template <typename List>
bool is_any_or_below(std::string_view path, const List& list) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view one) { return is_at_or_below(path, one); });
}

// "c" and "/x" of "/c/x"; nothing when the first part is no letter.
std::optional<DrivePath> split_letter(std::string_view path) {
  if (path.size() < 2 || !is_letter(path[1]) || (path.size() > 2 && path[2] != '/'))
    return std::nullopt;
  return DrivePath{lower_letter(path[1]), rest_or_root(path, 2)};
}

}  // namespace

std::string share_path(std::string_view distro, std::string_view path) {
  std::string out;
  out.reserve(kShares.size() + 1 + distro.size() + path.size());
  out += kShares;
  out += '/';
  out += distro;
  if (path != "/") out += path;
  return out;
}

std::string drive_path(char letter, std::string_view path) {
  std::string out;
  out.reserve(kDrives.size() + 2 + path.size());
  out += kDrives;
  out += '/';
  out += letter;
  if (path != "/") out += path;
  return out;
}

std::optional<SharePath> split_share_path(std::string_view path) {
  if (!is_below(path, kShares)) return std::nullopt;
  path.remove_prefix(kShares.size() + 1);
  const auto name = path.substr(0, path.find('/'));
  if (!valid_distro_name(name)) return std::nullopt;
  return SharePath{name, rest_or_root(path, name.size())};
}

std::optional<DrivePath> split_drive_path(std::string_view path) {
  if (!is_below(path, kDrives)) return std::nullopt;
  return split_letter(path.substr(kDrives.size()));
}

std::optional<std::string> split_engine_path(std::string_view path, std::string_view docker_root) {
  if (is_at_or_below(path, kEngineFiles))
    return std::string(rest_or_root(path, kEngineFiles.size()));
  if (is_at_or_below(path, kDockerData))
    return join(docker_root, rest_or_root(path, kDockerData.size()));
  return std::nullopt;
}

std::string engine_files_path(std::string_view path, std::string_view docker_root) {
  if (is_at_or_below(path, docker_root))
    return join(kDockerData, rest_or_root(path, docker_root.size()));
  return join(kEngineFiles, path);
}

std::optional<ForeignName> split_foreign_name(std::string_view path) {
  for (const auto drives : kForeignDrives) {
    if (!is_below(path, drives)) continue;
    const auto below = path.substr(drives.size());
    if (const auto drive = split_letter(below))
      return ForeignName{ForeignName::Kind::drive, drive->letter, drive->rest};
    if (drives == kDesktopHost && is_at_or_below(below, "/wsl"))
      return ForeignName{ForeignName::Kind::wsl, 0, rest_or_root(below, 4)};
  }
  if (is_at_or_below(path, kDesktop) || is_any_or_below(path, kForeignDrives)) return ForeignName{};
  return std::nullopt;
}

bool mentions_share(std::string_view text) {
  for (auto at = text.find(kShares); at != std::string_view::npos; at = text.find(kShares, at + 1))
    if (is_below(text.substr(at), kShares)) return true;
  return false;
}

bool is_docker_socket(std::string_view path) {
  return path == "/var/run/docker.sock" || path == "/run/docker.sock";
}

bool is_api_socket(std::string_view path, std::string_view run) {
  if (!is_below(path, run)) return false;
  path.remove_prefix(run.size());
  constexpr std::string_view kDistro = "/api/distro-";
  constexpr std::string_view kEnd = ".sock";
  if (path == "/engine.sock" || path == "/api/windows.sock") return true;
  if (!path.starts_with(kDistro) || !path.ends_with(kEnd)) return false;
  path.remove_prefix(kDistro.size());
  path.remove_suffix(kEnd.size());
  return valid_distro_name(path);
}

std::optional<std::string> engines_own(std::string_view path) {
  if (is_any_or_below(path, kEnginesOwn)) return std::string(path);
  if (is_at_or_below(path, kMergedModules)) return std::string(path.substr(4));
  return std::nullopt;
}

bool through_process(std::string_view path) {
  if (is_any_or_below(path, kOpenFiles)) return true;
  if (!is_below(path, "/proc")) return false;
  path.remove_prefix(std::string_view("/proc/").size());
  const auto name = path.substr(0, path.find('/'));
  return name == "self" || name == "thread-self" || text::to_u64(name).has_value();
}

bool each_has_its_own(std::string_view path) { return is_any_or_below(path, kEachHasItsOwn); }

const Drive* drive_at(const MountTable& mounts, std::string_view path) {
  const Drive* found = nullptr;
  for (const auto& drive : mounts.drives)
    if (is_at_or_below(path, drive.point) &&
        (found == nullptr || drive.point.size() > found->point.size()))
      found = &drive;
  return found;
}

std::string_view rest_or_root(std::string_view path, std::size_t length) {
  path.remove_prefix(length);
  return path.empty() ? "/" : path;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower_letter(char letter) { return static_cast<char>(letter | 0x20); }
char upper_letter(char letter) { return static_cast<char>(letter & ~0x20); }

}  // namespace causeway::paths
