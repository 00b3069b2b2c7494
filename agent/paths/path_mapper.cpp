#include "paths/path_mapper.h"

#include <algorithm>

#include "base/text.h"
#include "paths/engine_paths.h"
#include "paths/unix_path.h"
#include "paths/windows_path.h"

namespace causeway::paths {
namespace {

Target engine_target(std::string path) { return {Target::Kind::engine, std::move(path), {}, {}}; }
Target refused(std::string reason) { return {Target::Kind::refused, {}, {}, std::move(reason)}; }

std::string missing_drive(char letter, const PathContext& context) {
  std::string out = "drive ";
  out += upper_letter(letter);
  out += ": is not mounted in the engine's distro";
  if (context.drives.empty()) return out;
  out += "; there is";
  for (const char there : context.drives) {
    out += ' ';
    out += upper_letter(there);
    out += ':';
  }
  return out;
}

std::string unknown_distro(std::string_view name) {
  return "the files of the distro " + text::printable(name) +
         " are not shared with the engine: no such distro is integrated";
}

// `rest`: clean and absolute, on the drive.
Target drive_target(char letter, std::string_view rest, const PathContext& context) {
  if (!context.drives.contains(letter)) return refused(missing_drive(letter, context));
  return engine_target(drive_path(letter, rest));
}

std::string leads_through_process(std::string_view path) {
  return text::printable(path) +
         " leads to whatever the process that looks at it has there, and processes have other"
         " numbers in the engine: mount what it leads to, or /proc";
}

bool is_below_dev(std::string_view path) { return is_below(path, "/dev"); }

// `path` (clean, absolute) as `distro` itself means it.
Target distro_target(const Identity& asker, std::string_view distro, std::string path,
                     const PathContext& context) {
  if (is_docker_socket(path)) return engine_target(api_socket(asker, context.run));
  if (through_process(path)) return refused(leads_through_process(path));
  // Of /dev the distro must be asked: a link there may lead to the distro's files.
  if (!is_below_dev(path))
    if (auto own = engines_own(path)) return engine_target(std::move(*own));
  const auto found = context.distros.find(distro);
  const bool attached = found != context.distros.end() && found->second.attached;
  return {attached ? Target::Kind::in_distro : Target::Kind::absent,
          std::move(path),
          std::string(distro),
          {}};
}

// Windows compares names without regard to case.
const std::string* windows_distro(std::string_view name, const PathContext& context) {
  const auto exact = context.distros.find(name);
  if (exact != context.distros.end()) return &exact->first;
  for (const auto& [known, distro] : context.distros)
    if (text::iequals(known, name)) return &known;
  return nullptr;
}

// `path` is clean. Shares and drives by the engine's names, which are stable and documented.
std::optional<Target> share_or_drive(const Identity& asker, std::string_view path,
                                     const PathContext& context) {
  if (const auto drive = split_drive_path(path))
    return drive_target(drive->letter, drive->rest, context);
  if (const auto share = split_share_path(path)) {
    if (!context.distros.contains(share->distro)) return refused(unknown_distro(share->distro));
    return distro_target(asker, share->distro, std::string(share->rest), context);
  }
  return std::nullopt;
}

// What everybody may say, and means the same.
std::optional<Target> engine_form(const Identity& asker, std::string_view path,
                                  const PathContext& context) {
  if (auto target = share_or_drive(asker, path, context)) return target;
  auto own = split_engine_path(path, context.docker_root);
  if (!own) return std::nullopt;
  if (is_docker_socket(*own) || is_api_socket(*own, context.run))
    return engine_target(api_socket(asker, context.run));
  if (auto target = share_or_drive(asker, *own, context)) return target;
  return engine_target(*std::move(own));
}

// A predecessor's name must not become a new, empty folder.
std::optional<Target> foreign_form(const Identity& asker, std::string_view path,
                                   const PathContext& context) {
  const auto distro = context.distros.find(asker.name);
  const std::string& wsl = asker.kind == Identity::Kind::distro && distro != context.distros.end()
                               ? distro->second.mounts.wsl
                               : context.wsl;
  // What Docker Desktop and Rancher Desktop mount for containers of their own.
  for (const std::string_view theirs : {"/docker-desktop-bind-mounts", "/rancher-desktop"})
    if (!wsl.empty() && is_at_or_below(path, join(wsl, theirs)))
      return refused(text::printable(path) +
                     " is a place of another engine's: give the folder that it stands for");
  const auto name = split_foreign_name(path);
  if (!name) return std::nullopt;
  switch (name->kind) {
    case ForeignName::Kind::drive:
      return drive_target(name->letter, name->rest, context);
    case ForeignName::Kind::wsl:
      if (context.wsl.empty()) return refused("the engine's distro has no /mnt/wsl");
      return engine_target(join(context.wsl, name->rest));
    case ForeignName::Kind::unknown:
      break;
  }
  return refused(text::printable(path) +
                 " is a name of another engine's that means nothing here: drives of Windows are"
                 " /mnt/host/c or C:\\");
}

// MSYS writes /c/x for C:\x, and what a distro's client was told (/mnt/c/x) is pasted.
std::optional<Target> windows_drive_form(std::string_view path, const PathContext& context) {
  constexpr std::string_view kMnt = "/mnt";
  const auto below = is_below(path, kMnt) ? path.substr(kMnt.size()) : path;
  if (below.size() < 2 || !is_letter(below[1]) || (below.size() > 2 && below[2] != '/'))
    return std::nullopt;
  return drive_target(lower_letter(below[1]), rest_or_root(below, 2), context);
}

Target windows_target(const Identity& asker, std::string path, const PathContext& context) {
  if (is_api_socket(path, context.run)) return engine_target(api_socket(asker, context.run));
  if (through_process(path)) return refused(leads_through_process(path));
  if (auto target = windows_drive_form(path, context)) return std::move(*target);
  return engine_target(std::move(path));
}

Target linux_target(const Identity& asker, std::string path, const PathContext& context) {
  if (is_docker_socket(path)) return engine_target(api_socket(asker, context.run));
  if (auto target = engine_form(asker, path, context)) return std::move(*target);
  if (auto target = foreign_form(asker, path, context)) return std::move(*target);
  if (asker.kind == Identity::Kind::windows) return windows_target(asker, std::move(path), context);
  return distro_target(asker, asker.name, std::move(path), context);
}

}  // namespace

Target classify(const Identity& asker, std::string_view source, const PathContext& context) {
  if (asker.kind == Identity::Kind::engine || source.empty()) return {};
  if (source.find('\0') != std::string_view::npos) return refused("the path holds a NUL byte");
  auto windows = parse_windows_path(source);
  switch (windows.kind) {
    case WindowsPath::Kind::none:
      break;
    case WindowsPath::Kind::drive:
      return drive_target(windows.letter, windows.rest, context);
    case WindowsPath::Kind::distro: {
      const std::string* name = windows_distro(windows.distro, context);
      if (name == nullptr) return refused(unknown_distro(windows.distro));
      return distro_target(asker, *name, std::move(windows.rest), context);
    }
    case WindowsPath::Kind::refused:
      return refused(std::move(windows.reason));
  }
  if (source.front() != '/') return {};
  return linux_target(asker, clean(source), context);
}

Result<std::string> engine_path_if_attached(const Identity& asker, std::string_view distro,
                                            std::string_view resolved, const PathContext& context) {
  if (!is_clean(resolved) || resolved.find('\0') != std::string_view::npos)
    return make_error("not a resolved path: " + text::printable(resolved));
  const auto found = context.distros.find(distro);
  if (found == context.distros.end()) return make_error(unknown_distro(distro));
  const MountTable& mounts = found->second.mounts;
  if (is_docker_socket(resolved)) return api_socket(asker, context.run);
  if (through_process(resolved)) return make_error(leads_through_process(resolved));
  if (is_below_dev(resolved)) {
    const bool look = found->second.attached && context.own_below_dev;
    return each_has_its_own(resolved) || (look && context.own_below_dev(distro, resolved))
               ? share_path(found->first, resolved)
               : std::string(resolved);
  }
  if (auto own = engines_own(resolved)) return std::move(*own);
  if (!mounts.wsl.empty() && is_at_or_below(resolved, mounts.wsl)) {
    if (context.wsl.empty()) return make_error("the engine's distro has no " + mounts.wsl);
    return join(context.wsl, rest_or_root(resolved, mounts.wsl.size()));
  }
  if (const Drive* drive = drive_at(mounts, resolved)) {
    if (!context.drives.contains(drive->letter))
      return make_error(missing_drive(drive->letter, context));
    const auto rest = rest_or_root(resolved, drive->point.size());
    if (drive->below.empty()) return drive_path(drive->letter, rest);
    return drive_path(drive->letter, join(drive->below, rest));
  }
  return share_path(found->first, resolved);
}

Result<std::string> engine_path(const Identity& asker, std::string_view distro,
                                std::string_view resolved, const PathContext& context) {
  auto placed = engine_path_if_attached(asker, distro, resolved, context);
  if (!placed || !split_share_path(*placed)) return placed;
  const auto found = context.distros.find(distro);
  if (found != context.distros.end() && found->second.attached) return placed;
  return make_error("the files of the distro " + std::string(distro) +
                    " are not shared with the engine now: it is not running");
}

std::string api_socket(const Identity& asker, std::string_view run) {
  std::string out(run);
  switch (asker.kind) {
    case Identity::Kind::engine:
      return out += "/engine.sock";
    case Identity::Kind::windows:
      return out += "/api/windows.sock";
    case Identity::Kind::distro:
      break;
  }
  out += "/api/distro-";
  out += asker.name;
  return out += ".sock";
}

std::string from_root(std::string_view path) {
  const bool whole = path.empty() || path.front() == '/' ||
                     parse_windows_path(path).kind != WindowsPath::Kind::none;
  return whole ? std::string(path) : "/" + std::string(path);
}

std::size_t bind_source_length(std::string_view bind) {
  return bind.find(':', drive_prefix_length(bind));
}

bool valid_distro_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name == "." || name == ".." || name[0] == '-')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace causeway::paths
