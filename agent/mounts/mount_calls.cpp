#include "mounts/mount_calls.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/file.h"

namespace causeway::mounts {
namespace {

constexpr std::size_t kMountInfoLimit = 16 << 20;
// More mounts on one point than anything makes; a bound against one that comes back.
constexpr int kMostStacked = 1000;
// What no mount of ours needs, and a user could abuse.
constexpr unsigned kNoPrivileges = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

Status set_attributes(int tree, mount_attr attributes, bool below = false) {
  const unsigned flags = AT_EMPTY_PATH | (below ? unsigned{AT_RECURSIVE} : 0U);
  if (::mount_setattr(tree, "", flags, &attributes, sizeof(attributes)) != 0)
    return errno_error("set a mount's attributes");
  return Ok{};
}

Status set_propagation(int tree, std::uint64_t type, bool below) {
  mount_attr attributes{};
  attributes.propagation = type;
  return set_attributes(tree, attributes, below);
}

}  // namespace

Result<std::vector<paths::MountEntry>> own_mounts() {
  auto text = file::read("/proc/self/mountinfo", kMountInfoLimit);
  if (!text) return std::move(text).error();
  return paths::parse_mountinfo(*text);
}

Result<UniqueFd> clone_mount(const std::string& path, bool below) {
  const unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT | (below ? unsigned{AT_RECURSIVE} : 0U);
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), flags));
  if (!tree) return errno_error("clone " + path);
  return tree;
}

Result<UniqueFd> clone_shown(int fd) {
  UniqueFd tree(::open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) return errno_error("clone a mount");
  return tree;
}

Result<UniqueFd> detached_tmpfs(const char* source, const char* mode, bool read_only) {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context) return errno_error("fsopen tmpfs");
  const std::pair<const char*, const char*> options[] = {
      {"source", source}, {"mode", mode}, {"size", "64k"}};
  for (const auto& [key, value] : options)
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) != 0)
      return errno_error(std::string("tmpfs option ") + key);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return errno_error("make a tmpfs");
  const unsigned attributes =
      kNoPrivileges | MOUNT_ATTR_NOEXEC | (read_only ? unsigned{MOUNT_ATTR_RDONLY} : 0U);
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) return errno_error("fsmount");
  return mount;
}

Status receive_only(int tree, bool below) {
  // In one call only the last would count.
  if (auto done = set_propagation(tree, MS_SLAVE, below); !done) return done;
  return set_propagation(tree, MS_SHARED, below);
}

Status make_private(int mount) { return set_propagation(mount, MS_PRIVATE, false); }

Status protect(int tree) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | kNoPrivileges;
  attributes.propagation = MS_PRIVATE;
  return set_attributes(tree, attributes);
}

Status make_writable(int tree) {
  mount_attr attributes{};
  attributes.attr_clr = MOUNT_ATTR_RDONLY;
  attributes.propagation = MS_PRIVATE;
  return set_attributes(tree, attributes);
}

Status attach_tree(int tree, int target) {
  if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return errno_error("attach a mount");
  return Ok{};
}

Result<std::optional<int>> mount_shown(int fd) {
  struct statx info {};
  // Without a question to a network file system's server, which may be dead.
  const int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
  if (::statx(fd, "", flags, STATX_MNT_ID, &info) != 0) return errno_error("statx");
  if ((info.stx_mask & STATX_MNT_ID) == 0 ||
      (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0)
    return make_error("statx: the kernel doesn't tell mounts (5.8 does)");
  if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) return std::optional<int>();
  return std::optional(static_cast<int>(info.stx_mnt_id));
}

namespace {

// Keeps the file systems of a mount, and of all on it, from ending with it. Private: from a peer
// the unmounting would propagate.
UniqueFd hold(int fd) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
  UniqueFd tree(::open_tree(fd, "", flags));
  if (tree && !set_propagation(tree.get(), MS_PRIVATE, true)) tree.reset();
  return tree;
}

}  // namespace

Status detach_shown(int fd, const Release& release) {
  UniqueFd held = release ? hold(fd) : UniqueFd();
  // There is no umount by descriptor; this link leads to exactly what it shows.
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::umount2(link.c_str(), MNT_DETACH) != 0) return errno_error("unmount");
  if (held) release(std::move(held));
  return Ok{};
}

Status detach_all(const std::function<Result<UniqueFd>()>& open, const Release& release) {
  for (int i = 0; i < kMostStacked; ++i) {
    const auto fd = open();
    if (!fd) return fd.error().code == ENOENT ? Status(Ok{}) : Status(fd.error());
    const auto shown = mount_shown(fd->get());
    if (!shown) return shown.error();
    if (!*shown) return Ok{};
    if (auto done = detach_shown(fd->get(), release); !done) return done;
  }
  return make_error("there is always one more mount");
}

Status detach_all(const std::string& path, const Release& release) {
  const auto open_it = [&]() -> Result<UniqueFd> {
    UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return errno_error("open");
    return fd;
  };
  auto done = detach_all(open_it, release);
  if (!done) return std::move(done).error().with("detach " + path);
  return done;
}

}  // namespace causeway::mounts
