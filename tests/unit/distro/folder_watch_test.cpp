#include "distro/folder_watch.h"

#include <utility>

#include "../support/settle.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

struct Rig {
  explicit Rig(std::vector<std::string> folders) {
    for (auto& folder : folders) folder = tree.path / folder;
    auto started = FolderWatch::start(loop, std::move(folders), [this] { ++changes; });
    if (!started) FAIL(started.error().message);
    watch = *std::move(started);
  }
  // How often it was told since the last time.
  int take() {
    causeway::test::settle(loop);
    return std::exchange(changes, 0);
  }

  Tree tree;
  io::Loop loop;
  int changes = 0;
  std::unique_ptr<FolderWatch> watch;
};

}  // namespace

TEST_CASE("distro/folder_watch: changes in each folder are told, others aren't") {
  Rig rig({"usr/local/bin", "etc"});
  CHECK(rig.take() == 0);
  rig.tree.write("usr/local/bin/x", "x");
  CHECK(rig.take() > 0);
  fs::remove(rig.tree.path / "etc/gshadow");
  CHECK(rig.take() > 0);
  rig.tree.write("home/me/x", "x");
  rig.tree.write("usr/x", "x");
  CHECK(rig.take() == 0);
}

TEST_CASE("distro/folder_watch: a folder that is made later, or anew, is watched too") {
  Rig rig({"usr/local/share/zsh/site-functions"});
  fs::create_directories(rig.tree.path / "usr/local/share");
  CHECK(rig.take() > 0);
  fs::create_directories(rig.tree.path / "usr/local/share/zsh/site-functions");
  CHECK(rig.take() > 0);
  rig.tree.write("usr/local/share/zsh/site-functions/_x", "x");
  CHECK(rig.take() > 0);
  fs::remove_all(rig.tree.path / "usr/local/share/zsh");
  CHECK(rig.take() > 0);
  fs::create_directories(rig.tree.path / "usr/local/share/zsh/site-functions");
  CHECK(rig.take() > 0);
  rig.tree.write("usr/local/share/zsh/site-functions/_x", "x");
  CHECK(rig.take() > 0);
}

TEST_CASE("distro/folder_watch: it may be destroyed by what it tells") {
  Tree tree;
  io::Loop loop;
  std::unique_ptr<FolderWatch> watch;
  int changes = 0;
  auto started = FolderWatch::start(loop, {tree.path / "etc"}, [&] {
    watch.reset();
    ++changes;
  });
  REQUIRE(started.ok());
  watch = *std::move(started);
  tree.write("etc/a", "x");
  causeway::test::settle(loop);
  tree.write("etc/b", "x");
  causeway::test::settle(loop);
  CHECK(changes == 1);
}
