#include "distro/tools_mount.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "distro/directories.h"
#include "distro/mount_calls.h"
#include "distro/tool_links.h"

namespace causeway::distro {
namespace {

constexpr int kMostStacked = 64;

bool same_file(int a, int b) {
  struct stat left {};
  struct stat right {};
  return ::fstat(a, &left) == 0 && ::fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
         left.st_ino == right.st_ino;
}

}  // namespace

bool tools_attached(const RootFiles& files) {
  const auto there = files.open_at(kToolsPath, O_PATH | O_DIRECTORY);
  return there && mount_shown(there->get());
}

Status attach_tools(const RootFiles& files, Manifest& manifest, const UniqueFd& clone) {
  if (auto made = ensure_directories(files, manifest, kToolsPath); !made) return made;
  auto there = files.open_at(kToolsPath, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (!there) return std::move(there).error();
  if (mount_shown(there->get())) {
    // The agent sends them at each hello; who runs a tool shouldn't notice.
    if (same_file(there->get(), clone.get())) return Ok{};
    if (auto done = detach_tools(files); !done) return done;
    there = files.open_at(kToolsPath, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!there) return std::move(there).error();
  }
  const auto content = files.list(kToolsPath);
  if (!content) return content.error();
  if (!content->empty())
    return Error{std::string(kToolsPath) + " holds files that aren't ours", ENOTEMPTY};
  if (auto done = protect_detached(clone.get()); !done) return done;
  if (auto done = attach(clone.get(), there->get()); !done)
    return std::move(done).error().with(std::string("attach the tools at ") + kToolsPath);
  return Ok{};
}

Status detach_tools(const RootFiles& files) {
  for (int i = 0; i < kMostStacked; ++i) {
    const auto there = files.open_at(kToolsPath, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!there && there.error().code == ENOENT) return Ok{};
    if (!there) return there.error();
    if (!mount_shown(there->get())) return Ok{};
    if (auto done = detach_shown(there->get()); !done) return done;
  }
  return make_error(std::string(kToolsPath) + ": too many mounts");
}

}  // namespace causeway::distro
