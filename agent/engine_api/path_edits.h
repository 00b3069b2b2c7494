// The paths of a request in another form: which there are, and the request with the engine's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine_api/findings.h"
#include "engine_api/request_edits.h"

namespace causeway::engine_api {

// What the client wrote, the target's first; of what dockerd would open itself, a relative path is
// one from the root (paths::from_root).
std::vector<std::string> sources(const Findings& found);

// `mapped` has one path for each of the sources; what is the same keeps its bytes. An error, for
// the client's 400, when dockerd would not read such a path there as it is.
Result<RequestEdits> path_edits(const Findings& found, const std::vector<std::string>& mapped);

// The JSON string token that stands for the value once `engine_path` is its source. What JSON can't
// say (see can_replace) becomes a NUL character, which dockerd refuses.
std::string replacement(const PathValue& value, std::string_view engine_path);
// Whether dockerd would read `engine_path` there as it is: it must be UTF-8, without a colon in a
// bind, and without what has a meaning in an URL in an address.
Status can_replace(const PathValue& value, std::string_view engine_path);

}  // namespace causeway::engine_api
