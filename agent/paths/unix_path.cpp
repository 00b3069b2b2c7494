#include "paths/unix_path.h"

namespace causeway::paths {

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         (directory == "/" || path[directory.size()] == '/');
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path == directory || is_below(path, directory);
}

std::string clean(std::string_view path) {
  if (is_clean(path)) return std::string(path);
  std::string out;
  out.reserve(path.size() + 1);
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const auto last = out.rfind('/');
      if (last != std::string::npos) out.resize(last);
    } else {
      out += '/';
      out += part;
    }
  }
  if (out.empty()) out = "/";
  return out;
}

bool is_clean(std::string_view path) {
  if (path == "/") return true;
  if (path.empty() || path.front() != '/') return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(part.size());
  }
  return true;
}

std::string join(std::string_view directory, std::string_view path) {
  std::string out;
  out.reserve(directory.size() + path.size());
  if (directory != "/") out = directory;
  if (path != "/") out += path;
  if (out.empty()) out = "/";
  return out;
}

}  // namespace causeway::paths
