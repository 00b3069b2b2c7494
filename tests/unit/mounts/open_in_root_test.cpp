#include "mounts/open_in_root.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace causeway;
using mounts::Lookup;
namespace fs = std::filesystem;

namespace {

// outside/secret, and a root beside it with links of each kind.
struct Tree {
  Tree() {
    std::string name = "/tmp/causeway-open-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    fs::create_directories(path / "outside");
    fs::create_directories(path / "root/dir");
    std::ofstream(path / "outside/secret") << "no";
    std::ofstream(path / "root/dir/file") << "yes";
    fs::create_symlink("dir", path / "root/relative");
    fs::create_symlink("/dir", path / "root/absolute");
    fs::create_symlink(path / "outside", path / "root/out");
    fs::create_symlink("loop", path / "root/loop");
    root = UniqueFd(::open((path / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Tree() { fs::remove_all(path); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // 0: it is the file in the root; -1: it is another one; else why it can't be opened.
  int code(const std::string& name, Lookup lookup) const {
    const auto fd = mounts::open_in_root(root.get(), name, lookup, O_PATH);
    if (!fd) return fd.error().code;
    struct stat opened {};
    struct stat wanted {};
    REQUIRE(::fstat(fd->get(), &opened) == 0);
    REQUIRE(::stat((path / "root/dir/file").c_str(), &wanted) == 0);
    return opened.st_dev == wanted.st_dev && opened.st_ino == wanted.st_ino ? 0 : -1;
  }

  fs::path path;
  UniqueFd root;
};

}  // namespace

TEST_CASE("mounts/open_in_root: which links are followed, and where they lead") {
  const Tree tree;
  struct Row {
    const char* path;
    int in_root;
    int no_links;
    int beneath;
  };
  const Row rows[] = {
      {"/dir/file", 0, 0, 0},
      {"dir/file", 0, 0, 0},
      {"//dir//file", 0, 0, 0},
      {"/relative/file", 0, ELOOP, ELOOP},
      {"/absolute/file", 0, ELOOP, ELOOP},
      {"/out/secret", ENOENT, ELOOP, ELOOP},
      {"/loop", ELOOP, ELOOP, ELOOP},
      {"/../dir/file", 0, 0, EXDEV},
      {"/dir/../dir/file", 0, 0, 0},
      {"/dir/file/x", ENOTDIR, ENOTDIR, ENOTDIR},
      {"/missing", ENOENT, ENOENT, ENOENT},
      {"", -1, -1, -1},
      {"/", -1, -1, -1},
  };
  for (const auto& row : rows) {
    CAPTURE(row.path);
    CHECK(tree.code(row.path, Lookup::in_root) == row.in_root);
    CHECK(tree.code(row.path, Lookup::no_links) == row.no_links);
    CHECK(tree.code(row.path, Lookup::beneath) == row.beneath);
  }
}

TEST_CASE("mounts/open_in_root: what the cache knows is opened without the file system") {
  const Tree tree;
  REQUIRE(tree.code("/dir/file", Lookup::no_links) == 0);  // it is in the cache now
  CHECK(tree.code("/dir/file", Lookup::cached) == 0);
  CHECK(tree.code("/relative/file", Lookup::cached) != 0);
  CHECK(tree.code("/never-looked-up", Lookup::cached) == EAGAIN);
}

TEST_CASE("mounts/open_in_root: flags are the caller's, and the error names the path") {
  const Tree tree;
  const auto directory =
      mounts::open_in_root(tree.root.get(), "/dir/file", Lookup::in_root, O_PATH | O_DIRECTORY);
  REQUIRE_FALSE(directory);
  CHECK(directory.error().code == ENOTDIR);
  CHECK(directory.error().message == "open /dir/file: Not a directory");
  const auto file = mounts::open_in_root(tree.root.get(), "/dir/file", Lookup::in_root, O_RDONLY);
  REQUIRE(file);
  char text[4] = {};
  CHECK(::read(file->get(), text, sizeof(text)) == 3);
  CHECK((::fcntl(file->get(), F_GETFD) & FD_CLOEXEC) != 0);
}
