#include "distro/tools_mount.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "distro/directories.h"
#include "distro/tool_links.h"
#include "mounts/mount_calls.h"

namespace causeway::distro {
namespace {

bool same_file(int a, int b) {
  struct stat left {};
  struct stat right {};
  return ::fstat(a, &left) == 0 && ::fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
         left.st_ino == right.st_ino;
}

Result<UniqueFd> open_place(const RootFiles& files) {
  return files.open_at(kToolsPath, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

bool shows_mount(int fd) {
  const auto shown = mounts::mount_shown(fd);
  return shown && *shown;
}

}  // namespace

bool tools_attached(const RootFiles& files) {
  const auto there = files.open_at(kToolsPath, O_PATH | O_DIRECTORY);
  return there && shows_mount(there->get());
}

Status attach_tools(const RootFiles& files, Manifest& manifest, const UniqueFd& clone) {
  if (auto made = ensure_directories(files, manifest, kToolsPath); !made) return made;
  auto there = open_place(files);
  if (!there) return std::move(there).error();
  if (shows_mount(there->get())) {
    // The agent sends them at each hello; who runs a tool shouldn't notice.
    if (same_file(there->get(), clone.get())) return Ok{};
    if (auto done = detach_tools(files); !done) return done;
    there = open_place(files);
    if (!there) return std::move(there).error();
  }
  const auto content = files.list(kToolsPath);
  if (!content) return content.error();
  if (!content->empty())
    return Error{std::string(kToolsPath) + " holds files that aren't ours", ENOTEMPTY};
  if (auto done = mounts::protect(clone.get()); !done) return done;
  if (auto done = mounts::attach_tree(clone.get(), there->get()); !done)
    return std::move(done).error().with(std::string("attach the tools at ") + kToolsPath);
  return Ok{};
}

Status detach_tools(const RootFiles& files) {
  auto done = mounts::detach_all([&] { return open_place(files); });
  if (!done) return std::move(done).error().with(std::string("detach ") + kToolsPath);
  return done;
}

}  // namespace causeway::distro
