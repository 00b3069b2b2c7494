#include "distro/tools_mount.h"

#include <sys/mount.h>

#include "distro/share_changes.h"
#include "distro/tool_links.h"
#include "distro/undo.h"
#include "mounts/mount_calls.h"
#include "own_mounts.h"
#include "paths/mount_info.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

// A mounted file system with one program, and clones of it.
struct Source {
  explicit Source(const Tree& tree, const std::string& name) : path(tree.path / name) {
    fs::create_directories(path);
    REQUIRE(::mount("tools", path.c_str(), "tmpfs", 0, "mode=755") == 0);
    tree.write(name + "/bin/docker", name);
  }
  ~Source() { ::umount2(path.c_str(), MNT_DETACH); }
  UniqueFd clone() const {
    const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    auto clone = mounts::clone_shown(fd.get());
    if (!clone) FAIL(clone.error().message);
    return *std::move(clone);
  }
  fs::path path;
};

int mount_at(const Tree& tree) {
  const auto fd = tree.files.open_at(kToolsPath, O_PATH);
  return fd ? mounts::mount_shown(fd->get())->value_or(0) : 0;
}

}  // namespace

TEST_CASE("distro/tools_mount: attached read-only, replaced by others, kept when the same") {
  if (!own_mount_namespace()) return;
  const Tree tree;
  const Source first(tree, "first");
  const Source second(tree, "second");
  const auto before = tree.snapshot();
  auto manifest = tree.manifest();
  CHECK_FALSE(tools_attached(tree.files));
  const auto attached = attach_tools(tree.files, manifest, first.clone());
  REQUIRE_MESSAGE(attached.ok(), attached.error().message);
  CHECK(tools_attached(tree.files));
  CHECK(tree.read("usr/local/lib/causeway/bin/docker") == "first");
  CHECK(::mkdir((tree.path / "usr/local/lib/causeway/x").c_str(), 0755) == -1);
  CHECK(errno == EROFS);
  CHECK(::mkdir((first.path / "still-writable").c_str(), 0755) == 0);
  const int id = mount_at(tree);
  CHECK(attach_tools(tree.files, manifest, first.clone()).ok());
  CHECK(mount_at(tree) == id);
  CHECK(attach_tools(tree.files, manifest, second.clone()).ok());
  CHECK(tree.read("usr/local/lib/causeway/bin/docker") == "second");
  CHECK(detach_tools(tree.files).ok());
  CHECK_FALSE(tools_attached(tree.files));
  CHECK(detach_tools(tree.files).ok());
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  fs::remove(first.path / "still-writable");
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/tools_mount: what somebody keeps in our place is not hidden") {
  if (!own_mount_namespace()) return;
  const Tree tree;
  const Source source(tree, "source");
  tree.write("usr/local/lib/causeway/mine", "x");
  auto manifest = tree.manifest();
  const auto done = attach_tools(tree.files, manifest, source.clone());
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ENOTEMPTY);
  CHECK(tree.read("usr/local/lib/causeway/mine") == "x");
  fs::remove_all(tree.path / "usr/local/lib/causeway");
  fs::create_symlink("/etc", tree.path / "usr/local/lib/causeway");
  CHECK_FALSE(attach_tools(tree.files, manifest, source.clone()).ok());
  CHECK(tree.exists("etc/passwd"));
}

TEST_CASE("distro/share_changes: a clone is of the mount that was seen, or none") {
  if (!own_mount_namespace()) return;
  const Tree tree;
  paths::ShareMount seen;
  {
    const Source source(tree, "mnt");
    const auto all = *mounts::own_mounts();
    const auto* entry = paths::mounted_at(all, source.path.string());
    REQUIRE(entry != nullptr);
    seen = {entry->id,      entry->parent, entry->mount_point,
            entry->fs_type, entry->device, entry->root};
    const auto clone = clone_mount(seen);
    REQUIRE_MESSAGE(clone.ok(), clone.error().message);
    struct stat original {};
    struct stat copy {};
    REQUIRE(::stat(source.path.c_str(), &original) == 0);
    REQUIRE(::fstat(clone->get(), &copy) == 0);
    CHECK(original.st_dev == copy.st_dev);
    CHECK(original.st_ino == copy.st_ino);
  }
  const auto gone = clone_mount(seen);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().message == seen.point + ": another mount is there now");
  fs::remove_all(seen.point);
  fs::create_symlink("/", seen.point);
  CHECK_FALSE(clone_mount(seen).ok());
}
