#include "walk/gated_walk.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "mounts/open_in_root.h"
#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::shares::testing;
namespace fs = std::filesystem;

namespace {

const auto needs_mounts = doctest::skip(!can_mount());

int mount_of(const std::string& path) {
  struct statx info {};
  REQUIRE(::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_MNT_ID, &info) == 0);
  return static_cast<int>(info.stx_mnt_id);
}

struct Tree {
  Tree() {
    for (const char* point : {"/mnt/nas", "/mnt/nas/inner", "/srv"}) make_tmpfs(root + point);
    for (const char* folder : {"/home/dev/p", "/mnt/nas/a/b", "/srv/x"})
      fs::create_directories(root + folder);
    std::ofstream(root + "/home/dev/f") << "x";
    fs::create_symlink("/mnt/nas", root + "/home/dev/nas");
    fs::create_symlink("../../srv", root + "/home/dev/srv");
    fs::create_symlink("../../../../../../mnt/nas/a", root + "/home/dev/up");
    fs::create_symlink("/home/dev/nas", root + "/srv/back");
    fs::create_symlink("loop", root + "/home/dev/loop");
    fs::create_symlink("/nowhere", root + "/home/dev/dangling");
    fd = UniqueFd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    home = mount_of(root);
    nas = mount_of(root + "/mnt/nas");
    inner = mount_of(root + "/mnt/nas/inner");
    srv = mount_of(root + "/srv");
  }
  // The mounts that it asks for, in order.
  std::vector<int> entered(const std::string& path, int refused = 0) const {
    std::vector<int> out;
    const auto walked = walk::gated_walk(fd.get(), path, [&](int mount) -> Status {
      out.push_back(mount);
      if (mount == refused) return make_error("refused");
      return Ok{};
    });
    CHECK(walked.ok() == (refused == 0));
    return out;
  }

  Sandbox sandbox;
  std::string root = sandbox.folder("root");
  UniqueFd fd;
  int home = 0;
  int nas = 0;
  int inner = 0;
  int srv = 0;
};

}  // namespace

TEST_CASE("walk/gated_walk: it asks before each mount that a path leads into" * needs_mounts) {
  const Tree t;
  struct Row {
    const char* path;
    std::vector<int> entered;
  };
  const std::vector<Row> rows = {
      {"/", {t.home}},
      {"/home/dev/p", {t.home}},
      {"/home/dev/missing/x", {t.home}},
      {"/home/dev/f/x", {t.home}},
      {"/mnt/nas", {t.home, t.nas}},
      {"/mnt/nas/a/b", {t.home, t.nas}},
      {"/mnt/nas/inner/x", {t.home, t.nas, t.inner}},
      {"/mnt/nas/../x", {t.home, t.nas}},
      {"/home/dev/nas/a", {t.home, t.nas}},
      {"/home/dev/srv/x", {t.home, t.srv}},
      {"/home/dev/up/b", {t.home, t.nas}},
      {"/srv/back/inner", {t.home, t.srv, t.nas, t.inner}},
      {"/../../../srv", {t.home, t.srv}},
      {"/home/dev/loop/x", {t.home}},
      {"/home/dev/dangling", {t.home}},
      {"//home//./dev/", {t.home}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CHECK(t.entered(row.path) == row.entered);
  }
}

TEST_CASE("walk/gated_walk: a refusal ends it before anything is looked at there" * needs_mounts) {
  const Tree t;
  CHECK(t.entered("/srv/back/inner", t.nas) == std::vector<int>{t.home, t.srv, t.nas});
  CHECK(t.entered("/home/dev/p", t.home) == std::vector<int>{t.home});
}

// Whatever the links: the last mount that it asked for is the one that the kernel's own way ends
// in, or one on that way when it leads nowhere.
TEST_CASE("walk/gated_walk: it goes where the kernel goes, for random paths" * needs_mounts) {
  const Tree t;
  std::minstd_rand random(20261128);
  const std::vector<std::string> names = {"home", "dev",  "p",    "f",   "nas",     "srv",
                                          "up",   "back", "loop", "mnt", "inner",   "a",
                                          "b",    "x",    "..",   ".",   "dangling"};
  int found = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string path;
    const auto parts = 1 + random() % 6;
    for (unsigned n = 0; n < parts; ++n) path += "/" + names[random() % names.size()];
    CAPTURE(path);
    const auto asked = t.entered(path);
    const auto file = mounts::open_in_root(t.fd.get(), path, mounts::Lookup::in_root, O_PATH);
    if (!file) continue;
    ++found;
    struct statx info {};
    REQUIRE(::statx(file->get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &info) == 0);
    const int mount = static_cast<int>(info.stx_mnt_id);
    CHECK(std::find(asked.begin(), asked.end(), mount) != asked.end());
  }
  CHECK(found > 100);
}
