#include "init/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "paths/mount_info.h"

namespace causeway::init {
namespace {

// The mount's source, by which we know our own.
constexpr const char* kSource = "causeway";
constexpr std::size_t kMountInfoLimit = 16 << 20;
// More leftovers than boots killed in a row; a bound against a file system that comes back.
constexpr int kMostLeftovers = 1000;

}  // namespace

Result<Lock> take_lock(const std::string& run) {
  const std::string path = run + ".lock";
  Lock lock;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return errno_error("open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("lock " + path);
    std::array<char, 32> text{};
    const ssize_t n = ::pread(fd.get(), text.data(), text.size(), 0);
    const auto pid =
        text::to_u64(text::trim({text.data(), static_cast<std::size_t>(n > 0 ? n : 0)}));
    lock.owner = pid ? std::to_string(*pid) : "unknown";
    return lock;
  }
  if (::ftruncate(fd.get(), 0) != 0) return errno_error("truncate " + path);
  if (auto done = file::write_all(fd.get(), std::to_string(::getpid()) + "\n"); !done)
    return std::move(done).error().with(path);
  lock.fd = std::move(fd);
  return lock;
}

void unmount_run(const std::string& run) {
  for (int i = 0; i < kMostLeftovers; ++i) {
    const auto text = file::read("/proc/self/mountinfo", kMountInfoLimit);
    if (!text) return;
    const auto mounts = paths::parse_mountinfo(*text);
    const paths::MountEntry* mount = paths::mounted_at(mounts, run);
    if (mount == nullptr || mount->fs_type != "tmpfs" || mount->source != kSource) return;
    // Lazily when somebody outside has a file open there: it must not stop the next boot.
    if (::umount2(run.c_str(), UMOUNT_NOFOLLOW) != 0 &&
        ::umount2(run.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0)
      return;
  }
}

Status mount_run(const std::string& run) {
  if (auto made = file::make_directories(run); !made) return made;
  unmount_run(run);
  if (::mount(kSource, run.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
    return errno_error("mount tmpfs on " + run);
  return Ok{};
}

}  // namespace causeway::init
