// The CLI tools, mounted read-only where the agent's own distro has them.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "distro/manifest.h"
#include "distro/root_files.h"

namespace causeway::distro {

// Attaches the detached clone at kToolsPath, read-only, in place of an earlier one. A directory
// there that holds something of somebody else's is left alone: an error with code ENOTEMPTY.
Status attach_tools(const RootFiles& files, Manifest& manifest, const UniqueFd& clone);

bool tools_attached(const RootFiles& files);

// Takes away what is mounted there; nothing is fine.
Status detach_tools(const RootFiles& files);

}  // namespace causeway::distro
