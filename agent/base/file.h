// Whole small files: read with a bound, written so that a reader sees the old or the new content,
// never a part.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::file {

// The content, at most `limit` bytes; a larger file is an error, as is anything but a regular file
// (or a proc/sys file).
Result<std::string> read(const std::string& path, std::size_t limit = 1 << 20);

// Temporary file beside `path`, fsync, rename, fsync of the directory.
Status write_atomic(const std::string& path, std::string_view content, mode_t mode = 0644);

// Directories on the way to `path` and itself, as mkdir -p.
Status make_directories(const std::string& path, mode_t mode = 0755);

// All of `bytes`, over short writes and EINTR. For files and blocking descriptors.
Status write_all(int fd, std::string_view bytes);

}  // namespace causeway::file
