// Absolute paths as texts: no look at any file system.
#pragma once

#include <string>
#include <string_view>

namespace causeway::paths {

// `path` is something below `directory`, not itself. Both clean and absolute.
bool is_below(std::string_view path, std::string_view directory);
bool is_at_or_below(std::string_view path, std::string_view directory);

// Without "." and empty parts; ".." takes the part before it away and stops at the root. The result
// begins with "/" and ends with one only when it is the root.
std::string clean(std::string_view path);
// clean() would give the same back.
bool is_clean(std::string_view path);

// `path` below `directory`; "/" gives the directory itself. Both clean and absolute.
std::string join(std::string_view directory, std::string_view path);

}  // namespace causeway::paths
