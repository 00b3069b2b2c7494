// A path gone through part by part, only to tell beforehand which mounts that leads into: any look
// into a mount whose file system is away (a dead network share) may take for ever, and then it must
// be known which one it was.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace causeway::walk {

// Goes along `path` as openat2(2) with RESOLVE_IN_ROOT does: links, ".." and absolute targets stay
// in `root`. `enter` is asked before the first look into each mount, the root's own first; its
// error ends the walk and is the result. Where the path itself ends, by a missing part or too many
// links, is no error here: the call that follows says that.
Status gated_walk(int root, std::string_view path, const std::function<Status(int mount)>& enter);

}  // namespace causeway::walk
