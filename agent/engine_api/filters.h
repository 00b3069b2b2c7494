// The paths in the query of a container list: ?filters={"volume":["/path"]}, which dockerd compares
// with the sources and the destinations of each container's mounts. The engine's path is added
// beside the one that was given, since that may well be a destination.
//
// Both forms that dockerd takes are read: {"volume":["/a"]} and {"volume":{"/a":true}} (moby,
// api/types/filters).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine_api/edit.h"

namespace causeway::engine_api {

struct FilterPaths {
  std::vector<std::string> paths;  // values of "volume" that look like a path, decoded

  // For filters_edit(): where the parameter's value stands in the target, what it says, and where
  // in that new values go.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string json;
  std::size_t insert_at = 0;
  bool object = false;  // {"/a":true}
};

// `target` of GET /containers/json. What dockerd will refuse by itself has no paths. An error, for
// the client's 400, when it isn't certain which filters dockerd would read: the parameter twice,
// "volume" twice, or a semicolon, at which some versions of Go split a query.
Result<FilterPaths> scan_filters(std::string_view target);

// Each of `mapped` added that isn't among the paths; nothing when there is none. The edit is of the
// target that was scanned.
std::optional<Edit> filters_edit(const FilterPaths& found, const std::vector<std::string>& mapped);

}  // namespace causeway::engine_api
