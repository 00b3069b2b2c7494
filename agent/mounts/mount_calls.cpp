#include "mounts/mount_calls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

namespace causeway::mounts {
namespace {

constexpr std::size_t kMountInfoLimit = 16 << 20;
// More mounts on one point than anything makes; a bound against one that comes back.
constexpr int kMostStacked = 1000;

Status set_propagation(int tree, std::uint64_t type, bool below) {
  mount_attr attributes{};
  attributes.propagation = type;
  const unsigned flags = AT_EMPTY_PATH | (below ? unsigned{AT_RECURSIVE} : 0U);
  if (::mount_setattr(tree, "", flags, &attributes, sizeof(attributes)) != 0)
    return errno_error("set a mount's propagation");
  return Ok{};
}

}  // namespace

Result<std::vector<paths::MountEntry>> own_mounts() {
  auto text = file::read("/proc/self/mountinfo", kMountInfoLimit);
  if (!text) return std::move(text).error();
  return paths::parse_mountinfo(*text);
}

Result<UniqueFd> clone_mount(const std::string& path, bool below) {
  const unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (below ? unsigned{AT_RECURSIVE} : 0U);
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), flags));
  if (!tree) return errno_error("clone " + path);
  return tree;
}

Status receive_only(int tree, bool below) {
  // In one call only the last would count.
  if (auto done = set_propagation(tree, MS_SLAVE, below); !done) return done;
  return set_propagation(tree, MS_SHARED, below);
}

Status attach_tree(int tree, int target) {
  if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return errno_error("attach a mount");
  return Ok{};
}

Result<MountPlace> place_of(int fd) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0) return errno_error("statx");
  if ((info.stx_mask & STATX_MNT_ID) == 0 ||
      (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0)
    return make_error("statx: the kernel doesn't tell mounts (5.8 does)");
  return MountPlace{static_cast<int>(info.stx_mnt_id),
                    (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
}

Result<UniqueFd> open_below(int root, const std::string& path, bool directory) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | (directory ? unsigned{O_DIRECTORY} : 0U);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
  if (!fd) return errno_error("open " + path);
  return fd;
}

Status detach_shown(int fd) {
  // There is no umount by descriptor; this link leads to exactly what it shows.
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::umount2(link.c_str(), MNT_DETACH) != 0) return errno_error("unmount");
  return Ok{};
}

Status detach_all(const std::string& path) {
  for (int i = 0; i < kMostStacked; ++i) {
    const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return errno == ENOENT ? Status(Ok{}) : errno_error("open " + path);
    auto place = place_of(fd.get());
    if (!place) return std::move(place).error().with(path);
    if (!place->is_root) return Ok{};
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
      return errno_error("unmount " + path);
  }
  return make_error("unmount " + path + ": there is always one more");
}

}  // namespace causeway::mounts
