#include "paths/engine_places.h"

#include <algorithm>
#include <array>

#include "paths/path_mapper.h"
#include "paths/unix_path.h"

namespace causeway::paths {
namespace {

constexpr std::array<std::string_view, 5> kEnginesOwn = {"/dev", "/proc", "/sys", "/lib/modules",
                                                         "/usr/lib/wsl"};
// Where /lib is a link, resolving gives this; the engine's distro need not have that link.
constexpr std::string_view kMergedModules = "/usr/lib/modules";

}  // namespace

std::string share_place(std::string_view distro, std::string_view path) {
  std::string out;
  out.reserve(kShares.size() + 1 + distro.size() + path.size());
  out += kShares;
  out += '/';
  out += distro;
  if (path != "/") out += path;
  return out;
}

std::string drive_place(char letter, std::string_view path) {
  std::string out;
  out.reserve(kDrives.size() + 2 + path.size());
  out += kDrives;
  out += '/';
  out += letter;
  if (path != "/") out += path;
  return out;
}

std::optional<SharePlace> split_share_place(std::string_view path) {
  if (!is_below(path, kShares)) return std::nullopt;
  path.remove_prefix(kShares.size() + 1);
  const auto name = path.substr(0, path.find('/'));
  if (!valid_distro_name(name)) return std::nullopt;
  return SharePlace{name, rest_or_root(path, name.size())};
}

std::optional<DrivePlace> split_drive_place(std::string_view path) {
  if (!is_below(path, kDrives)) return std::nullopt;
  path.remove_prefix(kDrives.size() + 1);
  if (path.empty() || !is_letter(path[0]) || (path.size() > 1 && path[1] != '/'))
    return std::nullopt;
  return DrivePlace{lower_letter(path[0]), rest_or_root(path, 1)};
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
  const bool same = std::any_of(kEnginesOwn.begin(), kEnginesOwn.end(),
                                [&](std::string_view own) { return is_at_or_below(path, own); });
  if (same) return std::string(path);
  if (is_at_or_below(path, kMergedModules)) return std::string(path.substr(4));
  return std::nullopt;
}

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
