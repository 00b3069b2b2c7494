#include "distro/directories.h"

#include <cerrno>

namespace causeway::distro {

Result<std::vector<Addition>> missing_directories(const RootFiles& files, const std::string& path) {
  std::vector<Addition> out;
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    const auto there = files.look(part);
    if (!there) return there.error();
    if (*there) continue;
    Addition directory;
    directory.path = part;
    out.push_back(std::move(directory));
  }
  return out;
}

Status ensure_directories(const RootFiles& files, Manifest& manifest, const std::string& path) {
  const auto missing = missing_directories(files, path);
  if (!missing) return missing.error();
  if (missing->empty()) return Ok{};
  if (auto noted = manifest.add(*missing); !noted) return noted;
  for (const auto& directory : *missing)
    if (auto made = files.make_directory(directory.path, 0755);
        !made && made.error().code != EEXIST)
      return made;
  return Ok{};
}

}  // namespace causeway::distro
