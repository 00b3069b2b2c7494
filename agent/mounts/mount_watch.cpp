#include "mounts/mount_watch.h"

#include <fcntl.h>

#include <utility>

namespace causeway::mounts {
namespace {
// Collects the dozen changes of one container's start; a drive or share is not needed sooner.
constexpr std::uint64_t kCollectMs = 20;
}  // namespace

Result<std::unique_ptr<MountWatch>> MountWatch::start(io::Loop& loop,
                                                      std::function<void()> changed) {
  UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("open /proc/self/mountinfo");
  return std::unique_ptr<MountWatch>(new MountWatch(loop, std::move(fd), std::move(changed)));
}

MountWatch::MountWatch(io::Loop& loop, UniqueFd mountinfo, std::function<void()> changed)
    : fd_(std::move(mountinfo)),
      changed_(std::move(changed)),
      quiet_(loop),
      poll_(loop, fd_.get(), [this](unsigned) {
        if (!quiet_.armed()) quiet_.start(kCollectMs, [this] { changed_(); });
      }) {
  poll_.watch(io::Poll::priority);
  // The loop begins to watch in its next turn.
  loop.defer(lifetime_.guard([this] { changed_(); }));
}

}  // namespace causeway::mounts
