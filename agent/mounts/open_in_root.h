// Opening what a path means below a directory, with the kernel's own care for links (openat2(2)):
// the one way by which paths of a distro, a home or a share are walked.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::mounts {

enum class Lookup {
  in_root,   // as if `root` were "/": links, ".." and absolute targets stay in it
  no_links,  // the same, but code ELOOP where any part is a link
  beneath,   // no links either, and code EXDEV for a ".." that leads out of `root`
  // By the kernel's cache alone: no file system is asked, so that one which is away can't be waited
  // for. Code EAGAIN when the cache doesn't know, or mounts are just changing.
  cached,          // as no_links
  in_root_cached,  // as in_root
};

// `path` from `root` (a directory descriptor, O_PATH will do), with or without a slash in front;
// opened with `flags` and O_CLOEXEC. The last part is followed like the others.
Result<UniqueFd> open_in_root(int root, const std::string& path, Lookup lookup,
                              std::uint64_t flags);

}  // namespace causeway::mounts
