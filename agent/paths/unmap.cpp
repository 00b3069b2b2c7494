// The way back: paths of the engine, and messages that hold some, in the words of the asker.
#include <algorithm>
#include <array>
#include <optional>

#include "paths/engine_paths.h"
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
           const PathContext& context) {
  const Target target = classify(asker, candidate, context);
  switch (target.kind) {
    case Target::Kind::engine:
      return target.path == engine_path;
    case Target::Kind::in_distro:
    case Target::Kind::absent: {
      const auto placed = engine_path_if_attached(asker, target.distro, target.path, context);
      return placed.ok() && *placed == engine_path;
    }
    case Target::Kind::as_is:
    case Target::Kind::refused:
      return false;
  }
  return false;
}

const MountTable* mounts_of(const Identity& asker, const PathContext& context) {
  if (asker.kind != Identity::Kind::distro) return nullptr;
  const auto found = context.distros.find(asker.name);
  return found == context.distros.end() ? nullptr : &found->second.mounts;
}

// Where a distro sees it: of several mounts the one that shows the smallest part of the drive.
std::optional<std::string> drvfs_path(const MountTable& mounts, const DrivePath& path) {
  const auto shows = [&](const Drive& drive) {
    return drive.letter == path.letter &&
           (drive.below.empty() || is_at_or_below(path.rest, drive.below));
  };
  const Drive* best = nullptr;
  for (const auto& drive : mounts.drives)
    if (shows(drive) && (best == nullptr || drive.below.size() > best->below.size())) best = &drive;
  if (best == nullptr) return std::nullopt;
  return join(best->point, rest_or_root(path.rest, best->below.size()));
}

// Canonical paths for `path`, the best first. None when it isn't ours.
std::array<std::optional<std::string>, 2> candidates(const Identity& asker, std::string_view path,
                                                     const PathContext& context) {
  const MountTable* mounts = mounts_of(asker, context);
  if (const auto share = split_share_path(path)) {
    if (asker.kind == Identity::Kind::windows)
      return {windows_distro_path(share->distro, share->rest)};
    if (share->distro == asker.name) return {std::string(share->rest)};
    return {};
  }
  if (const auto drive = split_drive_path(path))
    return {mounts == nullptr ? std::nullopt : drvfs_path(*mounts, *drive),
            windows_drive_path(drive->letter, drive->rest)};
  if (mounts != nullptr && !mounts->wsl.empty() && !context.wsl.empty() &&
      is_at_or_below(path, context.wsl))
    return {join(mounts->wsl, rest_or_root(path, context.wsl.size()))};
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

bool begins_ours(std::string_view text, const PathContext& context, bool wsl) {
  return is_below(text, kShares) || is_below(text, kDrives) ||
         is_below(text, context.docker_root) || is_below(text, context.run) ||
         (wsl && !context.wsl.empty() && text.starts_with(context.wsl));
}

// Whether everybody says it like that.
bool is_said_by_all(std::string_view path, const PathContext& context) {
  if (split_share_path(path) || split_drive_path(path)) return true;
  if (engines_own(path) != path || each_has_its_own(path)) return false;
  if (!is_below(path, "/dev") || !context.own_below_dev) return true;
  return std::none_of(context.distros.begin(), context.distros.end(), [&](const auto& known) {
    return known.second.attached && context.own_below_dev(known.first, path);
  });
}

}  // namespace

std::string unmap(const Identity& asker, std::string_view engine_path, const PathContext& context) {
  if (asker.kind == Identity::Kind::engine || !is_clean(engine_path))
    return std::string(engine_path);
  if (is_docker_socket(engine_path) || is_api_socket(engine_path, context.run))
    return std::string(kDockerSocket);
  auto found = candidates(asker, engine_path, context);
  for (auto& candidate : found)
    if (candidate && means(asker, *candidate, engine_path, context)) return std::move(*candidate);
  if (is_said_by_all(engine_path, context) && means(asker, engine_path, engine_path, context))
    return std::string(engine_path);
  if (!split_share_path(engine_path) && !split_drive_path(engine_path))
    return engine_files_path(engine_path, context.docker_root);
  // What lies there now can't be had (the drive is gone meanwhile), or is another one's place seen
  // through a share: the nicest name serves people best.
  for (auto& candidate : found)
    if (candidate) return std::move(*candidate);
  return std::string(engine_path);
}

std::string unmap_text(const Identity& asker, std::string_view text, const PathContext& context) {
  if (asker.kind == Identity::Kind::engine) return std::string(text);
  const MountTable* mounts = mounts_of(asker, context);
  const bool wsl = mounts != nullptr && mounts->wsl != context.wsl;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto slash = std::min(text.find('/', at), text.size());
    out += text.substr(at, slash - at);
    at = slash;
    if (at == text.size()) break;
    std::size_t length = 1;
    const bool inside = at > 0 && goes_on_a_path(text[at - 1]);
    if (!inside && begins_ours(text.substr(at), context, wsl)) {
      length = std::max<std::size_t>(path_length(text, at), 1);
      out += unmap(asker, text.substr(at, length), context);
    } else {
      out += '/';
    }
    at += length;
  }
  return out;
}

}  // namespace causeway::paths
