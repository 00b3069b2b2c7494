#include "init/pivot.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "base/file.h"

namespace causeway::init {
namespace {

constexpr unsigned kCloneFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

Status attach_tree(int tree, const std::string& path) {
  if (::move_mount(tree, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return errno_error("attach " + path);
  return Ok{};
}

// A file to mount on: an image's dangling link into /run (systemd-resolved's) gets its target made,
// which is on our own tmpfs.
Status make_mount_file(const std::string& path) {
  std::array<char, PATH_MAX> link{};
  if (const ssize_t n = ::readlink(path.c_str(), link.data(), link.size() - 1); n > 0) {
    std::string target(link.data(), static_cast<std::size_t>(n));
    if (target.starts_with("../")) target.erase(0, 2);  // relative to /etc
    if (target.starts_with("/run/"))
      if (auto made = file::make_directories(target.substr(0, target.rfind('/'))); !made)
        return made;
  }
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return errno_error("make " + path);
  return Ok{};
}

// On a root file system of type rootfs (an initramfs) pivot_root isn't possible: switch_root's way
// then.
Status switch_to_cwd() {
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    // The old root lies on top of the new one now.
    if (::umount2(".", MNT_DETACH) != 0) return errno_error("unmount the old root");
  } else {
    if (errno != EINVAL) return errno_error("pivot_root");
    if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return errno_error("move to /");
    if (::chroot(".") != 0) return errno_error("chroot");
  }
  if (::chdir("/") != 0) return errno_error("chdir /");
  return Ok{};
}

}  // namespace

Result<Pivot> Pivot::prepare(const std::vector<Carried>& carried) {
  Pivot pivot;
  for (const auto& item : carried) {
    UniqueFd tree(::open_tree(AT_FDCWD, item.path.c_str(), kCloneFlags | AT_RECURSIVE));
    if (!tree) {
      if (item.required) return errno_error("clone " + item.path);
      continue;
    }
    pivot.clones_.push_back({item.path, item.required, std::move(tree)});
  }
  for (const char* path : {"/etc/resolv.conf", "/etc/hosts"}) {
    UniqueFd tree(::open_tree(AT_FDCWD, path, kCloneFlags));
    if (tree) pivot.network_files_.push_back({path, false, std::move(tree)});
  }
  return pivot;
}

Status Pivot::enter(const std::string& root) {
  // Cloned always: a mount point itself may be followed by more mounts on it, a plain directory
  // needs one.
  const UniqueFd tree(::open_tree(AT_FDCWD, root.c_str(), kCloneFlags | AT_RECURSIVE));
  if (!tree) return errno_error("clone " + root);
  if (auto attached = attach_tree(tree.get(), root); !attached) return attached;
  if (::fchdir(tree.get()) != 0) return errno_error("chdir " + root);
  return switch_to_cwd();
}

Status Pivot::attach(const std::function<bool(const std::string&)>& wanted,
                     const Skipped& skipped) {
  for (auto& clone : clones_) {
    if (!clone.tree || !wanted(clone.path)) continue;
    auto made = file::make_directories(clone.path);
    auto done = made ? attach_tree(clone.tree.get(), clone.path) : std::move(made);
    clone.tree.reset();
    if (done) continue;
    if (clone.required) return done;
    skipped(done.error());
  }
  return Ok{};
}

void Pivot::attach_network_files(const Skipped& skipped) {
  for (auto& clone : network_files_) {
    struct stat info {};
    const bool own = ::stat(clone.path.c_str(), &info) == 0 && info.st_size > 0;
    if (!own) {
      auto made = make_mount_file(clone.path);
      auto done = made ? attach_tree(clone.tree.get(), clone.path) : std::move(made);
      if (!done) skipped(done.error());
    }
    clone.tree.reset();
  }
}

}  // namespace causeway::init
