#include "mounts/mount_calls.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::mounts;
using namespace causeway::shares::testing;

namespace {
const auto needs_mounts = doctest::skip(!can_mount());

UniqueFd shown(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}
}  // namespace

TEST_CASE("mounts/mount_calls: the mount that a descriptor shows" * needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "a");
  const auto folder = sandbox.folder("a/b");
  const auto root = mount_shown(shown(sandbox / "a").get());
  REQUIRE(root);
  CHECK(*root == mount_at(sandbox / "a").id);
  const auto inside = mount_shown(shown(folder).get());
  REQUIRE(inside);
  CHECK_FALSE(*inside);
  CHECK_FALSE(mount_shown(-1));
}

TEST_CASE("mounts/mount_calls: a protected clone is read-only, its source stays writable" *
          needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "source");
  const auto there = sandbox.folder("there");
  const auto clone = clone_shown(shown(sandbox / "source").get());
  REQUIRE(clone);
  REQUIRE(protect(clone->get()));
  REQUIRE(attach_tree(clone->get(), shown(there).get()));
  CHECK(::mkdir((there + "/x").c_str(), 0755) != 0);
  CHECK(errno == EROFS);
  CHECK(mount_at(there).options.starts_with("ro,nosuid,nodev"));
  CHECK(::mkdir((sandbox / "source/x").c_str(), 0755) == 0);
}

TEST_CASE("mounts/mount_calls: what is taken away ends with the last who has it, who is told" *
          needs_mounts) {
  const Sandbox sandbox;
  const std::string top = sandbox / "top";
  make_tmpfs(top);
  make_tmpfs(top + "/below");
  write_file(top + "/below/f", "kept");
  std::vector<UniqueFd> released;
  const auto keep = [&](UniqueFd tree) { released.push_back(std::move(tree)); };
  REQUIRE(detach_all(top, keep));
  CHECK(mounts_below(top).empty());
  REQUIRE(released.size() == 1);
  // The file systems live on, out of sight, with all that was on them.
  const std::string tree = "/proc/self/fd/" + std::to_string(released[0].get());
  CHECK(content(tree + "/below/f") == "kept");
  CHECK(detach_all(top, keep));  // nothing there, nothing to tell
  CHECK(released.size() == 1);
}

TEST_CASE("mounts/mount_calls: all that is stacked on a path goes, and nothing is fine" *
          needs_mounts) {
  const Sandbox sandbox;
  for (int i = 0; i < 70; ++i) make_tmpfs(sandbox / "stack");
  REQUIRE(detach_all(sandbox / "stack"));
  CHECK(mounts_below(sandbox / "stack").empty());
  CHECK(detach_all(sandbox / "stack"));
  CHECK(detach_all(sandbox / "missing"));
}
