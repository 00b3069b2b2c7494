#include "shares/plain_paths.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "support/temp_dir.h"

using namespace causeway;
namespace fs = std::filesystem;

namespace {

struct Tree {
  Tree() {
    fs::create_directories(path / "home/me/a");
    fs::create_directories(path / "home/me/b");
    std::ofstream(path / "home/me/file") << "x";
    fs::create_symlink("/home/me/a", path / "home/me/link");
    fs::create_symlink("/home", path / "house");
    fs::create_symlink("/nowhere", path / "home/me/dangling");
    root = UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  std::vector<bool> plain(const std::vector<std::string>& paths) const {
    return shares::find_plain(root.get(), paths);
  }
  test::TempDir directory;
  const fs::path path = directory.path;
  UniqueFd root;
};

}  // namespace

TEST_CASE("shares/plain_paths: what is there without any link, one by one and side by side") {
  const Tree tree;
  struct Row {
    const char* path;
    bool expected;
  };
  const std::vector<Row> rows = {
      {"/home/me/a", true},       {"/home/me/b", true},         {"/home/me/file", true},
      {"/home/me/link", false},   {"/home/me/dangling", false}, {"/home/me/missing", false},
      {"/home/me/link/x", false}, {"/house/me/a", false},       {"/house/me/b", false},
      {"/home/me/file/x", false}, {"/home/me/file/y", false},
  };
  std::vector<std::string> all;
  for (const Row& row : rows) all.emplace_back(row.path);
  const auto together = tree.plain(all);
  REQUIRE(together.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(rows[i].path);
    CHECK(together[i] == rows[i].expected);
    CHECK(tree.plain({rows[i].path})[0] == rows[i].expected);
  }
  CHECK(tree.plain({"/"})[0]);
  CHECK(tree.plain({"/home", "/house"}) == std::vector<bool>{true, false});
  CHECK(tree.plain({}).empty());
}

TEST_CASE("shares/plain_paths: no descriptor stays open") {
  const Tree tree;
  const auto count = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto before = count();
  tree.plain({"/home/me/a", "/home/me/b", "/home/me/link", "/home", "/house/me/a"});
  CHECK(count() == before);
}

TEST_CASE("shares/plain_paths: of /dev, what is no device is the share's own") {
  const Tree tree;
  fs::create_directories(tree.path / "dev/dri");
  std::ofstream(tree.path / "dev/file") << "x";
  REQUIRE(::mkfifo((tree.path / "dev/pipe").c_str(), 0600) == 0);
  CHECK(shares::is_own_below_dev(tree.root.get(), "/dev/file"));
  CHECK(shares::is_own_below_dev(tree.root.get(), "/dev/pipe"));
  CHECK(shares::is_own_below_dev(tree.root.get(), "/dev/missing"));
  CHECK_FALSE(shares::is_own_below_dev(tree.root.get(), "/dev/dri"));
  CHECK_FALSE(shares::is_own_below_dev(-1, "/dev/file"));
  const UniqueFd machine(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  REQUIRE(::stat("/dev/null", &info) == 0);  // known to the kernel's cache from here on
  CHECK_FALSE(shares::is_own_below_dev(machine.get(), "/dev/null"));
}
