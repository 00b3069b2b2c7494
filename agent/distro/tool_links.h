// Links to the CLI tools, where the distro's shells look for programs, plugins and completions.
#pragma once

#include <string>
#include <vector>

#include "distro/manifest.h"
#include "distro/root_files.h"
#include "handover/distro_report.h"

namespace causeway::distro {

inline constexpr const char* kToolsPath = "/usr/local/lib/causeway";

// Makes the links for the tools that are there, and removes ours of those that aren't any more.
// Only to be called with the tools mounted. Never over a file that isn't ours.
std::vector<handover::DistroReport::Item> ensure_links(const RootFiles& files, Manifest& manifest);

// Where they are made: to be watched.
std::vector<std::string> link_directories();

}  // namespace causeway::distro
