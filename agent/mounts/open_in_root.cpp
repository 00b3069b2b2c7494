#include "mounts/open_in_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace causeway::mounts {
namespace {

// The kernel gives up (EAGAIN) when something is renamed while it goes through a "..". Whoever
// does that all the time gets an error.
constexpr int kTries = 16;

std::uint64_t resolve_flags(Lookup lookup) {
  switch (lookup) {
    case Lookup::in_root:
      return RESOLVE_IN_ROOT;
    case Lookup::no_links:
      return RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
    case Lookup::beneath:
      return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    case Lookup::cached:
      return RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_CACHED;
    case Lookup::in_root_cached:
      return RESOLVE_IN_ROOT | RESOLVE_CACHED;
  }
  return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
}

bool by_cache(Lookup lookup) {
  return lookup == Lookup::cached || lookup == Lookup::in_root_cached;
}

}  // namespace

Result<UniqueFd> open_in_root(int root, const std::string& path, Lookup lookup,
                              std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve_flags(lookup);
  const auto first = path.find_first_not_of('/');
  const char* name = first == std::string::npos ? "." : path.c_str() + first;
  for (int i = 1;; ++i) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof(how))));
    if (fd) return fd;
    const bool again = errno == EINTR || (errno == EAGAIN && !by_cache(lookup));
    if (!again || i == kTries) return errno_error("open " + path);
  }
}

}  // namespace causeway::mounts
