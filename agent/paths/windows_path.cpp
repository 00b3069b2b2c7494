#include "paths/windows_path.h"

#include <algorithm>

#include "base/text.h"
#include "paths/engine_paths.h"

namespace causeway::paths {
namespace {

constexpr std::string_view kSeparators = "\\/";
constexpr std::string_view kServer = "\\\\wsl.localhost\\";

bool is_separator(char c) { return c == '\\' || c == '/'; }

bool ends_or_separates(std::string_view text, std::size_t at) {
  return text.size() == at || is_separator(text[at]);
}

bool begins_with_drive(std::string_view text) {
  return text.size() >= 2 && is_letter(text[0]) && text[1] == ':';
}

// \\?\, \\.\ and the same with slashes.
bool is_device_prefix(std::string_view text) {
  return text.size() >= 4 && is_separator(text[0]) && is_separator(text[1]) &&
         (text[2] == '?' || text[2] == '.') && is_separator(text[3]);
}

// A part ends without its one trailing dot, the last part without all its dots and blanks.
std::string_view trim_part(std::string_view part, bool last) {
  if (last) {
    const auto end = part.find_last_not_of(". ");
    return part.substr(0, end == std::string_view::npos ? 0 : end + 1);
  }
  if (part.size() > 1 && part.back() == '.' && part[part.size() - 2] != '.') part.remove_suffix(1);
  return part;
}

// `verbatim`: behind \\?\, where Windows takes names as they are.
std::string clean_rest(std::string_view text, bool verbatim) {
  std::string out;
  out.reserve(text.size() + 1);
  while (!text.empty()) {
    const auto end = text.find_first_of(kSeparators);
    const bool last = end == std::string_view::npos;
    auto part = text.substr(0, end);
    text.remove_prefix(last ? text.size() : end + 1);
    if (part == "..") {
      const auto slash = out.rfind('/');
      if (slash != std::string::npos) out.resize(slash);
      continue;
    }
    if (part == ".") continue;
    if (!verbatim) part = trim_part(part, last);
    if (part.empty()) continue;
    out += '/';
    out += part;
  }
  if (out.empty()) out = "/";
  return out;
}

WindowsPath refused(std::string reason) {
  WindowsPath path;
  path.kind = WindowsPath::Kind::refused;
  path.reason = std::move(reason);
  return path;
}

WindowsPath on_drive(char letter, std::string_view rest, bool verbatim) {
  WindowsPath path;
  path.kind = WindowsPath::Kind::drive;
  path.letter = lower_letter(letter);
  path.rest = clean_rest(rest, verbatim);
  return path;
}

// `text` begins with the server's name.
WindowsPath on_server(std::string_view text, bool verbatim) {
  const auto take = [&text] {
    const auto end = std::min(text.find_first_of(kSeparators), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
  };
  const auto server = take();
  if (!text::iequals(server, "wsl$") && !text::iequals(server, "wsl.localhost"))
    return refused("network paths can't be mounted (\\\\" + text::printable(server) +
                   "): give the share a drive letter, or mount it in a distro");
  WindowsPath path;
  path.kind = WindowsPath::Kind::distro;
  path.distro = take();
  if (path.distro.empty()) return refused("the path names no distro");
  path.rest = clean_rest(text, verbatim);
  return path;
}

// `text` stands behind \\?\ or \\.\.
WindowsPath on_device(std::string_view text, bool verbatim) {
  if (begins_with_drive(text) && ends_or_separates(text, 2))
    return on_drive(text[0], text.substr(2), verbatim);
  const auto end = text.find_first_of(kSeparators);
  const auto first = text.substr(0, end);
  if (end != std::string_view::npos && text::iequals(first, "UNC"))
    return on_server(text.substr(end + 1), verbatim);
  if (text::iequals(first, "pipe"))
    return refused(
        "Windows' named pipes don't exist in Linux containers; the engine's API is at"
        " /var/run/docker.sock");
  return refused("devices of Windows can't be mounted");
}

// Two slashes are one for Linux, so these are forms of Windows only where nobody means a file by
// them.
WindowsPath with_slashes(std::string_view text) {
  if (is_device_prefix(text)) {
    const auto rest = text.substr(4);
    const auto first = rest.substr(0, rest.find_first_of(kSeparators));
    if (begins_with_drive(rest) || text::iequals(first, "UNC") || text::iequals(first, "pipe"))
      return on_device(rest, false);
    return {};
  }
  const auto behind = text.substr(2);
  const auto first = behind.substr(0, behind.find_first_of(kSeparators));
  if (first.size() == 1 && is_letter(first[0])) return on_drive(first[0], behind.substr(1), false);
  if (text::iequals(first, "wsl$") || text::iequals(first, "wsl.localhost"))
    return on_server(behind, false);
  return {};
}

// Windows shows a Linux name with these under another name, or not at all.
bool windows_has(std::string_view path) {
  char before = '/';
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 ||
        std::string_view("\\:*?\"<>|").find(c) != std::string_view::npos)
      return false;
    if (c == '/' && (before == '.' || before == ' ')) return false;
    before = c;
  }
  return before != '.' && before != ' ';
}

std::string with_backslashes(std::string_view prefix, std::string_view path) {
  std::string out;
  out.reserve(prefix.size() + path.size());
  out += prefix;
  out += path;
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(prefix.size()), out.end(), '/', '\\');
  return out;
}

}  // namespace

WindowsPath parse_windows_path(std::string_view text) {
  if (text.size() < 2) {
    if (text == "\\") return refused("the path names no drive: write C:\\");
    return {};
  }
  if (text[0] == '/') return text[1] == '/' ? with_slashes(text) : WindowsPath{};
  if (text[0] == '\\') {
    if (!is_separator(text[1]))
      return refused("the path names no drive: write C:" + text::printable(text));
    if (is_device_prefix(text)) return on_device(text.substr(4), text.starts_with("\\\\?\\"));
    return on_server(text.substr(2), false);
  }
  if (!begins_with_drive(text)) return {};
  if (ends_or_separates(text, 2)) return on_drive(text[0], text.substr(2), false);
  return refused("the path depends on the current folder of drive " + std::string(text, 0, 2) +
                 " write " + std::string(text, 0, 2) + "\\…");
}

std::size_t drive_prefix_length(std::string_view text) {
  const std::size_t at = is_device_prefix(text) ? 4 : 0;
  return begins_with_drive(text.substr(at)) ? at + 2 : 0;
}

bool is_path_list(std::string_view bind) {
  if (bind.starts_with('/')) return false;  // a folder of Linux may be called so
  for (auto at = bind.find(';'); at != std::string_view::npos; at = bind.find(';', at + 1)) {
    const auto next = bind.substr(at + 1);
    if (begins_with_drive(next) && next.size() > 2 && is_separator(next[2])) return true;
  }
  return false;
}

std::optional<std::string> windows_drive_path(char letter, std::string_view path) {
  if (!windows_has(path)) return std::nullopt;
  const char prefix[] = {upper_letter(letter), ':'};
  return with_backslashes({prefix, sizeof(prefix)}, path);
}

std::optional<std::string> windows_distro_path(std::string_view distro, std::string_view path) {
  if (!windows_has(path)) return std::nullopt;
  std::string prefix(kServer);
  prefix += distro;
  return with_backslashes(prefix, path);
}

}  // namespace causeway::paths
