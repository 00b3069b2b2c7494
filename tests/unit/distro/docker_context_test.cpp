#include "distro/docker_context.h"

#include "distro/undo.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

constexpr const char* kFile =
    "home/me/.docker/contexts/meta/"
    "c2c0a72b71b80142760661b2ca697e2bf7db5c4281da903b23af67ee1277c045/meta.json";

std::string ensure(const Tree& tree, const std::optional<Account>& user,
                   const std::vector<paths::Drive>& drives = {}) {
  auto manifest = tree.manifest();
  const auto items = ensure_context(tree.files, manifest, user, drives);
  if (items.empty()) return "nothing";
  return std::string(handover::name_of(items[0].state)) + " " + items[0].reason;
}

std::vector<Error> undo_everything(const Tree& tree) {
  auto manifest = tree.manifest();
  return undo_all(tree.files, manifest, [](const Addition&) { return true; });
}

}  // namespace

TEST_CASE("distro/docker_context: made as docker would, the user's own, and undone") {
  if (!is_root("another user's home")) return;
  for (const char* there : {"", "home/me/.docker", "home/me/.docker/contexts/meta"}) {
    CAPTURE(there);
    const Tree tree;
    for (auto part = fs::path(there); part.has_parent_path() && part != "home/me";
         part = part.parent_path()) {
      fs::create_directories(tree.path / part);
      REQUIRE(::chown((tree.path / part).c_str(), 1000, 1000) == 0);
    }
    const auto before = tree.snapshot();
    for (int i = 0; i < 2; ++i) {
      CHECK(ensure(tree, tree.me()) == "added ");
      CHECK(tree.read(kFile) ==
            R"({"Name":"causeway","Metadata":{"Description":"Causeway"},"Endpoints":{"docker":)"
            R"({"Host":"unix:///var/run/docker.sock","SkipTLSVerify":false}}})");
      for (auto part = fs::path(kFile); part != "home"; part = part.parent_path()) {
        struct stat info {};
        REQUIRE(::lstat((tree.path / part).c_str(), &info) == 0);
        CHECK_MESSAGE(info.st_uid == 1000, part);
        CHECK_MESSAGE(info.st_gid == 1000, part);
      }
    }
    CHECK(undo_everything(tree).empty());
    CHECK(tree.snapshot() == before);
  }
}

TEST_CASE("distro/docker_context: what the user has changed or added since stays") {
  if (!is_root("another user's home")) return;
  const Tree tree;
  CHECK(ensure(tree, tree.me()) == "added ");
  tree.write("home/me/.docker/config.json", "{}");
  tree.write(kFile, "{\"Name\":\"causeway\"}");
  CHECK(ensure(tree, tree.me()) == "added ");
  CHECK(tree.read(kFile) == "{\"Name\":\"causeway\"}");
  CHECK(undo_everything(tree).empty());
  CHECK(tree.exists(kFile));
  CHECK(tree.exists("home/me/.docker/config.json"));
  CHECK_FALSE(tree.exists("var/lib/causeway"));
}

TEST_CASE("distro/docker_context: one of the user's is left alone") {
  const Tree tree;
  tree.write(kFile, "mine");
  const auto before = tree.snapshot();
  CHECK(ensure(tree, tree.me()) == "left_alone it isn't ours");
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/docker_context: planted links and files lead nowhere") {
  if (!is_root("another user's home")) return;
  for (const char* link : {".docker", ".docker/contexts", ".docker/contexts/meta"}) {
    CAPTURE(link);
    const Tree tree;
    const auto path = tree.path / "home/me" / link;
    fs::create_directories(path.parent_path());
    fs::create_symlink("/etc", path);
    REQUIRE(::lchown(path.c_str(), 1000, 1000) == 0);
    const auto before = tree.snapshot();
    CHECK(ensure(tree, tree.me()) == "left_alone something on the way is no directory");
    CHECK(tree.snapshot() == before);
  }
  // Planted since: the undo isn't led away either.
  const Tree tree;
  tree.write("target/contexts/keep", "x");
  CHECK(ensure(tree, tree.me()) == "added ");
  fs::remove_all(tree.path / "home/me/.docker");
  fs::create_symlink("/target", tree.path / "home/me/.docker");
  CHECK(undo_everything(tree).empty());
  CHECK(tree.exists("target/contexts/keep"));
  CHECK(tree.exists("home/me/.docker"));
}

TEST_CASE("distro/docker_context: as root only where the user may write") {
  if (!is_root("another user's home")) return;
  const Tree tree;
  fs::create_directories(tree.path / "home/me/.docker");  // root's, as after a sudo
  const auto before = tree.snapshot();
  CHECK(ensure(tree, tree.me()).starts_with("failed mkdir "));
  CHECK(undo_everything(tree).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/docker_context: without a home there is nothing to do") {
  const Tree tree;
  const auto before = tree.snapshot();
  CHECK(ensure(tree, std::nullopt) == "nothing");
  for (const char* home : {"", "/", "home/me", "/nonexistent"})
    CHECK(ensure(tree, Account{"me", 1000, 1000, home}) == "nothing");
  CHECK(tree.snapshot() == before);
}

// Windows' docker has its contexts in C:\Users\me\.docker.
TEST_CASE("distro/docker_context: none is put among those of Windows' docker") {
  const std::vector<paths::Drive> drives{{"/mnt/c", 'c', ""}, {"/srv/music", 'd', "/Music"}};
  struct Case {
    const char* name;
    const char* home;
    const char* link;  // in the distro, null: none
    const char* target;
    char letter;  // 0: it is made
  };
  for (const auto& c : {
           Case{"a home on the drive", "/mnt/c/Users/me", nullptr, nullptr, 'C'},
           Case{"with a slash behind it", "/mnt/c/Users/me/", nullptr, nullptr, 'C'},
           Case{"a home that leads there", "/home/win", "home/win", "/mnt/c/Users/me", 'C'},
           Case{"contexts that lead there", "/home/me", "home/me/.docker",
                "/mnt/c/Users/me/.docker", 'C'},
           Case{"another drive", "/srv/music/me", nullptr, nullptr, 'D'},
           Case{"beside the drive", "/mnt/cold", nullptr, nullptr, 0},
           Case{"a home of Linux", "/home/me", nullptr, nullptr, 0},
       }) {
    CAPTURE(c.name);
    const Tree tree;
    for (const char* folder : {"mnt/c/Users/me/.docker", "srv/music/me", "mnt/cold"}) {
      fs::create_directories(tree.path / folder);
      if (::geteuid() == 0) REQUIRE(::chown((tree.path / folder).c_str(), 1000, 1000) == 0);
    }
    if (c.link != nullptr) fs::create_symlink(c.target, tree.path / c.link);
    const auto before = tree.snapshot();
    const auto told = ensure(tree, Account{"me", 1000, 1000, c.home}, drives);
    if (c.letter == 0) {
      if (::geteuid() == 0) CHECK(told == "added ");
      continue;
    }
    CHECK(told == std::string("left_alone docker's contexts are on Windows' drive ") + c.letter +
                      ": and Windows' own docker has them, too");
    CHECK(tree.snapshot() == before);
  }
}
