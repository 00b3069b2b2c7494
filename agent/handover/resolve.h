// Which file a path of a distro means, in that distro's own view: symbolic links belong to the root
// they stand in, and the engine would follow them in its own.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::handover {

// `path` (absolute) free of links, as seen from `root` (a directory descriptor, O_PATH will do):
// the longest part that exists is resolved (openat2(2) with RESOLVE_IN_ROOT), what is missing
// behind it is appended. Errors, for people: a link that leads nowhere, too many links, a path that
// is too long, a result that isn't UTF-8 (the Docker API can't carry it).
Result<std::string> resolve_path(int root, std::string_view path);

}  // namespace causeway::handover
