#include "shares/share_tree.h"

#include <doctest/doctest.h>

#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;

namespace {

const auto needs_mounts = doctest::skip(!can_mount());

SharedMount identity(const Distro& distro, const std::string& point) {
  const auto [device, root] = distro.identity(point);
  return {device, root};
}

// True: attached; false: was there.
bool add(ShareTree& tree, const Distro& distro, const std::string& point) {
  const auto added = tree.add(point, identity(distro, point), distro.clone(point).get());
  INFO(point);
  REQUIRE_MESSAGE(added, (added ? "" : added.error().message));
  return *added;
}

struct Place {
  explicit Place(const Sandbox& sandbox) : base(sandbox.folder("share")), tree(base) {}
  std::string base;
  ShareTree tree;
};

}  // namespace

TEST_CASE("shares/share_tree: mounts appear, receive only, and can be shared on" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro");
  Place place(sandbox);
  CHECK(add(place.tree, distro, "/"));
  CHECK(add(place.tree, distro, "/home"));
  CHECK(content(place.base + "/who") == "root");
  CHECK(content(place.base + "/home/who") == "home");
  for (const char* point : {"", "/home"}) {
    const auto propagation = mount_at(place.base + point).propagation;
    CAPTURE(propagation);
    CHECK(propagation.find("shared:") != std::string::npos);
    CHECK(propagation.find("master:") != std::string::npos);
  }
  // What we mount does not appear in the distro.
  make_tmpfs(place.base + "/home/ours");
  CHECK(mounts_below(distro.path("/")) == ". /home");
  CHECK_FALSE(add(place.tree, distro, "/home"));
  CHECK(place.tree.mounts().size() == 2);
}

TEST_CASE("shares/share_tree: only what isn't there yet is attached" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro");
  Place place(sandbox);
  add(place.tree, distro, "/");
  distro.add("/later", "later");  // propagates
  CHECK(content(place.base + "/later/who") == "later");
  CHECK_FALSE(add(place.tree, distro, "/later"));
  CHECK(mounts_below(place.base + "/later") == ".");
}

TEST_CASE("shares/share_tree: nothing propagates from private mounts, so all is sent" *
          needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro", false);
  Place place(sandbox);
  add(place.tree, distro, "/");
  distro.add("/later", "later");
  CHECK_FALSE(exists(place.base + "/later/who"));
  CHECK(add(place.tree, distro, "/later"));
  CHECK(content(place.base + "/later/who") == "later");
  // Unmounted in the distro: ours stays until we are told.
  distro.remove("/later");
  CHECK(content(place.base + "/later/who") == "later");
  REQUIRE(place.tree.remove("/later"));
  CHECK(mounts_below(place.base + "/later").empty());
  CHECK_FALSE(place.tree.mounts().contains("/later"));
}

TEST_CASE("shares/share_tree: another mount at a point replaces ours" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro", false);
  Place place(sandbox);
  add(place.tree, distro, "/");
  add(place.tree, distro, "/home");
  distro.remove("/home");
  distro.add("/home", "another");
  CHECK(add(place.tree, distro, "/home"));
  CHECK(content(place.base + "/home/who") == "another");
  CHECK(mounts_below(place.base + "/home") == ".");
}

TEST_CASE("shares/share_tree: only what is ours is taken away" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro", false);
  Place place(sandbox);
  add(place.tree, distro, "/");
  add(place.tree, distro, "/home");
  SUBCASE("another mount covers it") {
    make_tmpfs(place.base + "/home");
    REQUIRE(place.tree.remove("/home"));
    CHECK(mounts_below(place.base + "/home") == ". .");
  }
  SUBCASE("a point that was never added") {
    make_tmpfs(place.base + "/run");
    REQUIRE(place.tree.remove("/run"));
    CHECK(mounts_below(place.base + "/run") == ".");
  }
  SUBCASE("the root is not a mount among others") { CHECK_FALSE(place.tree.remove("/")); }
}

TEST_CASE("shares/share_tree: no link of a user leads a mount elsewhere" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro", false);
  Place place(sandbox);
  const auto victim = sandbox.folder("victim");
  add(place.tree, distro, "/");
  REQUIRE(::symlink(victim.c_str(), (distro.path("/") + "/link").c_str()) == 0);
  distro.add("/real", "real");
  const auto added =
      place.tree.add("/link", identity(distro, "/real"), distro.clone("/real").get());
  CHECK_FALSE(added);
  CHECK(mounts_below(victim).empty());
  // Nor an unmount: the directory was replaced since.
  add(place.tree, distro, "/real");
  make_tmpfs(victim);
  REQUIRE(place.tree.remove("/link"));
  CHECK(mounts_below(victim) == ".");
}

TEST_CASE("shares/share_tree: the root comes first, and only one" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro");
  Distro other(sandbox / "other");
  Place place(sandbox);
  const auto early =
      place.tree.add("/home", identity(distro, "/home"), distro.clone("/home").get());
  CHECK_FALSE(early);
  add(place.tree, distro, "/");
  CHECK_FALSE(add(place.tree, distro, "/"));
  CHECK_FALSE(place.tree.add("/", identity(other, "/"), other.clone("/").get()));
  CHECK(content(place.base + "/who") == "root");
}

TEST_CASE("shares/share_tree: what the distro no longer has goes" * needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro", false);
  Place place(sandbox);
  for (const char* point : {"/", "/home"}) add(place.tree, distro, point);
  distro.add("/home/disk", "disk");
  distro.add("/opt", "opt");
  for (const char* point : {"/home/disk", "/opt"}) add(place.tree, distro, point);
  place.tree.keep_only({"/", "/opt"});
  CHECK(mounts_below(place.base) == ". /opt");
  CHECK(place.tree.mounts().size() == 2);
}

TEST_CASE("shares/share_tree: the engine's own mounts lie over the distro's directories" *
          needs_mounts) {
  const Sandbox sandbox;
  Distro distro(sandbox / "distro");
  Place place(sandbox);
  make_tmpfs(sandbox / "wsl");
  make_tmpfs(sandbox / "wsl/disk");
  add(place.tree, distro, "/");
  REQUIRE(::rmdir((place.base + "/sys").c_str()) == 0);  // a distro without one
  const auto problems = place.tree.add_engine_mounts(sandbox / "wsl", "/mnt/wsl");
  for (const auto& problem : problems) MESSAGE(problem.message);
  CHECK(problems.empty());
  CHECK(exists(place.base + "/proc/self"));
  CHECK(exists(place.base + "/dev/null"));
  CHECK_FALSE(exists(place.base + "/sys"));
  CHECK(mount_at(place.base + "/mnt/wsl/disk").fs_type == "tmpfs");
  // Lazily unmounting the whole share takes nothing away from where these came from.
  const auto before = mounts_below("/proc");
  REQUIRE(mounts::detach_all(place.base));
  CHECK(mounts_below(sandbox / "wsl") == ". /disk");
  CHECK(mounts_below("/proc") == before);
  CHECK(mounts_below(place.base).empty());
}
