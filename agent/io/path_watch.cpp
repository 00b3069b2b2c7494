#include "io/path_watch.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

namespace causeway::io {
namespace {
constexpr std::uint32_t kInteresting = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                       IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                                       IN_ONLYDIR;
}

Result<std::unique_ptr<PathWatch>> PathWatch::start(Loop& loop, std::string path,
                                                    std::function<void()> changed,
                                                    std::string within) {
  if (path.empty() || path[0] != '/')
    return make_error("watch " + path + ": the path must be absolute");
  UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return errno_error("watch " + path + ": inotify (see fs.inotify.max_user_instances)");
  return std::unique_ptr<PathWatch>(
      new PathWatch(loop, std::move(fd), std::move(path), std::move(changed), std::move(within)));
}

PathWatch::PathWatch(Loop& loop, UniqueFd inotify, std::string path, std::function<void()> changed,
                     std::string within)
    : fd_(std::move(inotify)),
      path_(std::move(path)),
      within_(std::move(within)),
      changed_(std::move(changed)),
      poll_(loop, fd_.get(), [this](unsigned) { on_readable(); }) {
  add_watches();
  poll_.watch(Poll::readable);
}

// The nearest directory that exists: the rest is seen coming, one level an event. Adding a watch
// that exists is a no-op of the kernel, and a watch on what vanished goes by itself.
void PathWatch::add_watches() {
  for (auto slash = path_.rfind('/'); slash != std::string::npos;
       slash = slash == 0 ? std::string::npos : path_.rfind('/', slash - 1)) {
    const std::string directory = slash == 0 ? "/" : path_.substr(0, slash);
    if (add_watch(directory)) return;
  }
}

bool PathWatch::add_watch(const std::string& directory) const {
  if (within_.empty() || !directory.starts_with(within_ + "/"))
    return ::inotify_add_watch(fd_.get(), directory.c_str(), kInteresting) >= 0;
  const UniqueFd base(::open(within_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  const char* rest = directory.c_str() + within_.size() + 1;
  const UniqueFd there(
      static_cast<int>(::syscall(SYS_openat2, base.get(), rest, &how, sizeof(how))));
  if (!there) return false;
  // This link leads to exactly what is open.
  const std::string link = "/proc/self/fd/" + std::to_string(there.get());
  return ::inotify_add_watch(fd_.get(), link.c_str(), kInteresting) >= 0;
}

void PathWatch::on_readable() {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(fd_.get(), events.data(), events.size()) > 0) {
  }
  add_watches();
  changed_();  // last: it may destroy us
}

}  // namespace causeway::io
