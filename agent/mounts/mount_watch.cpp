#include "mounts/mount_watch.h"

#include <fcntl.h>

#include <utility>

namespace causeway::mounts {

Result<std::unique_ptr<MountWatch>> MountWatch::start(io::Loop& loop, std::uint64_t collect_ms,
                                                      std::function<void()> changed) {
  UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("open /proc/self/mountinfo");
  return std::unique_ptr<MountWatch>(
      new MountWatch(loop, std::move(fd), collect_ms, std::move(changed)));
}

MountWatch::MountWatch(io::Loop& loop, UniqueFd mountinfo, std::uint64_t collect_ms,
                       std::function<void()> changed)
    : fd_(std::move(mountinfo)),
      changed_(std::move(changed)),
      quiet_(loop),
      poll_(loop, fd_.get(), [this, collect_ms](unsigned) {
        if (!quiet_.armed()) quiet_.start(collect_ms, [this] { changed_(); });
      }) {
  poll_.watch(io::Poll::priority);
  // The loop begins to watch in its next turn.
  loop.defer(lifetime_.guard([this] { changed_(); }));
}

}  // namespace causeway::mounts
