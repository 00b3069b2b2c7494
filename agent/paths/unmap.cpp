// The way back: paths of the engine, and messages that hold some, in the words of the asker.
#include <array>
#include <optional>

#include "paths/engine_places.h"
#include "paths/path_mapper.h"
#include "paths/unix_path.h"
#include "paths/windows_path.h"

namespace causeway::paths {
namespace {

constexpr std::string_view kDockerSocket = "/var/run/docker.sock";
// More than PATH_MAX; it bounds the work on a message of any length.
constexpr std::size_t kLongest = 8192;

// Whether the asker gets `engine_path` for `candidate`, when nothing on the way is a link.
bool means(const Identity& asker, std::string_view candidate, std::string_view engine_path,
           const World& world) {
  const Target target = classify(asker, candidate, world);
  switch (target.kind) {
    case Target::Kind::engine:
      return target.path == engine_path;
    case Target::Kind::in_distro:
    case Target::Kind::absent: {
      const auto placed = place_if_attached(asker, target.distro, target.path, world);
      return placed.ok() && *placed == engine_path;
    }
    case Target::Kind::as_is:
    case Target::Kind::refused:
      return false;
  }
  return false;
}

const MountTable* mounts_of(const Identity& asker, const World& world) {
  if (asker.kind != Identity::Kind::distro) return nullptr;
  const auto found = world.distros.find(asker.name);
  return found == world.distros.end() ? nullptr : &found->second.mounts;
}

// Where a distro sees it: of several mounts the one that shows the smallest part of the drive.
std::optional<std::string> drvfs_path(const MountTable& mounts, const DrivePlace& place) {
  const auto shows = [&](const Drive& drive) {
    return drive.letter == place.letter &&
           (drive.below.empty() || is_at_or_below(place.rest, drive.below));
  };
  const Drive* best = nullptr;
  for (const auto& drive : mounts.drives)
    if (shows(drive) && (best == nullptr || drive.below.size() > best->below.size())) best = &drive;
  if (best == nullptr) return std::nullopt;
  return join(best->point, rest_or_root(place.rest, best->below.size()));
}

// Canonical paths for `path`, the best first. None when it isn't ours.
std::array<std::optional<std::string>, 2> candidates(const Identity& asker, std::string_view path,
                                                     const World& world) {
  const MountTable* mounts = mounts_of(asker, world);
  if (const auto share = split_share_place(path)) {
    if (asker.kind == Identity::Kind::windows) return {distro_path(share->distro, share->rest)};
    if (share->distro == asker.name) return {std::string(share->rest)};
    return {};
  }
  if (const auto drive = split_drive_place(path))
    return {mounts == nullptr ? std::nullopt : drvfs_path(*mounts, *drive),
            drive_path(drive->letter, drive->rest)};
  if (mounts != nullptr && !mounts->wsl.empty() && !world.wsl.empty() &&
      is_at_or_below(path, world.wsl))
    return {join(mounts->wsl, rest_or_root(path, world.wsl.size()))};
  return {};
}

bool goes_on_a_path(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

char closing(char opening) {
  switch (opening) {
    case '"':
    case '\'':
    case '`':
      return opening;
    case '(':
      return ')';
    default:
      return 0;
  }
}

// How long the path at `at` is. In quotes it ends with them; else nothing tells for sure, since it
// may hold blanks, so it ends at what follows paths in the messages of dockerd, runc and the
// kernel.
std::size_t path_length(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at, kLongest);
  if (const char close = at > 0 ? closing(text[at - 1]) : '\0'; close != 0) {
    const auto end = rest.find(close);
    if (end != std::string_view::npos) {
      const bool escaped = at > 1 && text[at - 2] == '\\' && end > 0 && rest[end - 1] == '\\';
      // A whole bind in quotes: "SOURCE:DESTINATION".
      return std::min(escaped ? end - 1 : end, rest.find(":/"));
    }
  }
  constexpr std::array<std::string_view, 9> kEnds = {": ",   ":/",   ", ",   " (",  " to ",
                                                     " on ", " in ", " is ", " as "};
  auto length = std::min(rest.find_first_of("\n\t\"'`"), rest.size());
  for (const auto end : kEnds) length = std::min(length, rest.substr(0, length).find(end));
  length = std::min(length, rest.size());
  if (rest.substr(0, length).ends_with(':')) --length;
  return length;
}

bool begins_ours(std::string_view text, const World& world, bool wsl) {
  return is_below(text, kShares) || is_below(text, kDrives) ||
         (!world.run.empty() && text.starts_with(world.run)) ||
         (wsl && !world.wsl.empty() && text.starts_with(world.wsl));
}

}  // namespace

std::string unmap(const Identity& asker, std::string_view engine_path, const World& world) {
  if (asker.kind == Identity::Kind::engine || !is_clean(engine_path))
    return std::string(engine_path);
  if (is_api_socket(engine_path, world.run)) return std::string(kDockerSocket);
  auto found = candidates(asker, engine_path, world);
  for (auto& candidate : found)
    if (candidate && means(asker, *candidate, engine_path, world)) return std::move(*candidate);
  // The engine's own form is one that everybody may give. When not even that leads there (the drive
  // is gone meanwhile), the nicest one serves people best.
  if (!means(asker, engine_path, engine_path, world))
    for (auto& candidate : found)
      if (candidate) return std::move(*candidate);
  return std::string(engine_path);
}

std::string unmap_text(const Identity& asker, std::string_view text, const World& world) {
  if (asker.kind == Identity::Kind::engine) return std::string(text);
  const MountTable* mounts = mounts_of(asker, world);
  const bool wsl = mounts != nullptr && mounts->wsl != world.wsl;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto slash = std::min(text.find('/', at), text.size());
    out += text.substr(at, slash - at);
    at = slash;
    if (at == text.size()) break;
    std::size_t length = 1;
    const bool inside = at > 0 && goes_on_a_path(text[at - 1]);
    if (!inside && begins_ours(text.substr(at), world, wsl)) {
      length = std::max<std::size_t>(path_length(text, at), 1);
      out += unmap(asker, text.substr(at, length), world);
    } else {
      out += '/';
    }
    at += length;
  }
  return out;
}

}  // namespace causeway::paths
