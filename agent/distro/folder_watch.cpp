#include "distro/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace causeway::distro {
namespace {

constexpr std::uint32_t kInteresting = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                       IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

Result<std::unique_ptr<FolderWatch>> FolderWatch::start(io::Loop& loop,
                                                        std::vector<std::string> folders,
                                                        std::function<void()> changed) {
  UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return errno_error("inotify (see fs.inotify.max_user_instances)");
  return std::unique_ptr<FolderWatch>(
      new FolderWatch(loop, std::move(fd), std::move(folders), std::move(changed)));
}

FolderWatch::FolderWatch(io::Loop& loop, UniqueFd inotify, std::vector<std::string> folders,
                         std::function<void()> changed)
    : fd_(std::move(inotify)),
      folders_(std::move(folders)),
      changed_(std::make_shared<std::function<void()>>(std::move(changed))),
      poll_(loop, fd_.get(), [this](unsigned) { on_readable(); }) {
  add_watches();
  poll_.watch(io::Poll::readable);
}

// Adding one that exists is a no-op of the kernel; one on what vanished goes by itself.
void FolderWatch::add_watches() {
  for (const auto& folder : folders_) {
    for (std::size_t end = folder.size(); end != std::string::npos && end > 0;
         end = folder.rfind('/', end - 1))
      if (::inotify_add_watch(fd_.get(), folder.substr(0, end).c_str(), kInteresting) >= 0) break;
  }
}

void FolderWatch::on_readable() {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(fd_.get(), events.data(), events.size()) > 0) {
  }
  add_watches();
  const auto changed = changed_;
  (*changed)();
}

}  // namespace causeway::distro
