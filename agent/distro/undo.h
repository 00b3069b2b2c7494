// Takes away what the manifest tells of, and nothing else: what is not (or no more) as we made it
// stays as it is.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "distro/manifest.h"
#include "distro/root_files.h"

namespace causeway::distro {

// Ok: the thing isn't there, or is somebody else's now.
Status undo(const RootFiles& files, const Addition& addition);

// The last made first, all that `which` is true for; what is undone is forgotten. The errors of
// those that could not be undone, which stay in the manifest. Code EAGAIN as in account_files.h.
std::vector<Error> undo_all(const RootFiles& files, Manifest& manifest,
                            const std::function<bool(const Addition&)>& which);

}  // namespace causeway::distro
