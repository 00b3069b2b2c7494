#include "distro/mount_calls.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace causeway::distro {
namespace {

// From <sys/mount.h>, which can't be included beside <linux/mount.h> everywhere.
constexpr std::uint64_t kPrivate = 1U << 18U;  // MS_PRIVATE
constexpr int kDetach = 2;                     // MNT_DETACH

}  // namespace

std::optional<int> mount_shown(int fd) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &info) !=
          0 ||
      (info.stx_mask & STATX_MNT_ID) == 0 || (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
    return std::nullopt;
  return static_cast<int>(info.stx_mnt_id);
}

Result<UniqueFd> clone_shown(int fd) {
  const long clone =
      ::syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (clone < 0) return errno_error("open_tree");
  return UniqueFd(static_cast<int>(clone));
}

Status protect_detached(int mount) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  attributes.propagation = kPrivate;
  if (::syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
    return errno_error("mount_setattr");
  return Ok{};
}

Status attach(int mount, int target) {
  if (::syscall(SYS_move_mount, mount, "", target, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return errno_error("move_mount");
  return Ok{};
}

Status detach_shown(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (::syscall(SYS_umount2, path.c_str(), kDetach) != 0) return errno_error("umount2");
  return Ok{};
}

}  // namespace causeway::distro
