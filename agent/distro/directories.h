// Directories of the distro that things of ours need.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "distro/manifest.h"
#include "distro/root_files.h"

namespace causeway::distro {

// Those on the way to `path`, and it itself, that aren't there, as additions; outermost first.
Result<std::vector<Addition>> missing_directories(const RootFiles& files, const std::string& path);

// Makes them (root's, 0755), noted in the manifest before.
Status ensure_directories(const RootFiles& files, Manifest& manifest, const std::string& path);

}  // namespace causeway::distro
