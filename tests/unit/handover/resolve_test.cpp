#include "handover/resolve.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::handover;
namespace fs = std::filesystem;

namespace {

// A root of its own, in which links mean what they mean in a distro.
struct Root {
  Root() {
    fs::create_directories(path / "home/me/project");
    fs::create_directories(path / "data/deep");
    std::ofstream(path / "etc-file") << "x";
    link("/home/me/project", "abs");
    link("home/me", "rel");
    link("../../data", "home/me/up");
    link("../../../../../../../../data", "home/me/far");
    link("/nowhere/at/all", "dangling");
    link("loop-b", "loop-a");
    link("loop-a", "loop-b");
    link("/etc-file", "file-link");
    link("/caf\xe9", "latin");
    fs::create_directories(path / "caf\xe9");
    fd.reset(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(fd);
  }
  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, path / name);
  }

  test::TempDir directory;
  const fs::path path = fs::canonical(directory.path);
  UniqueFd fd;
};

std::string resolved(int root, std::string_view path) {
  const auto result = resolve_path(root, path);
  return result.ok() ? *result : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("handover/resolve: links are followed inside the root, what is missing is appended") {
  const Root root;
  struct Case {
    std::string path;
    std::string expected;
  };
  const std::string long_name(256, 'n');
  std::string long_path;
  while (long_path.size() < 4096) long_path += "/abcdefgh";
  for (const auto& c : std::vector<Case>{
           {"/", "/"},
           {"/data", "/data"},
           {"/data/", "/data"},
           {"/./data//deep/..", "/data"},
           {"/../../data", "/data"},
           {"/abs", "/home/me/project"},
           {"/rel/project", "/home/me/project"},
           {"/rel/up/deep", "/data/deep"},
           {"/rel/far", "/data"},  // ".." stops at the root
           {"/file-link", "/etc-file"},
           {"/etc-file", "/etc-file"},
           {"/missing", "/missing"},
           {"/abs/new/dir", "/home/me/project/new/dir"},
           {"/rel/up/deep/x y/тест", "/data/deep/x y/тест"},
           {"/dangling",
            "error: \"/dangling\" is a link that leads nowhere (to "
            "\"/nowhere/at/all\")"},
           {"/dangling/more",
            "error: \"/dangling\" is a link that leads nowhere (to "
            "\"/nowhere/at/all\")"},
           {"/loop-a", "error: \"/loop-a\": Too many levels of symbolic links"},
           {"/loop-a/x", "error: \"/loop-a/x\": Too many levels of symbolic links"},
           {"/etc-file/x", "/etc-file/x"},
           {"/file-link/x/y", "/etc-file/x/y"},
           {"/" + long_name, "/" + long_name},
           {"/rel/project/" + long_name + "/x", "/home/me/project/" + long_name + "/x"},
           {long_path, "error: \"" + long_path.substr(0, 64) + "…\": File name too long"},
           {"/latin",
            "error: \"/latin\" leads to \"/caf\xe9\", which isn't UTF-8: the Docker API "
            "can't carry that"},
           {"", "error: \"\" is no absolute path"},
           {"data", "error: \"data\" is no absolute path"},
           {std::string("/da\0ta", 6), "error: \"/da\\x00ta\" is no absolute path"},
       }) {
    CAPTURE(c.path);
    CHECK(resolved(root.fd.get(), c.path) == c.expected);
  }
}

TEST_CASE("handover/resolve: many missing parts are found with few looks, long ones too") {
  const Root root;
  std::string path = "/rel/project";
  std::string expected = "/home/me/project";
  for (int i = 0; i < 1900; ++i) path += "/x", expected += "/x";
  CHECK(resolved(root.fd.get(), path) == expected);
}

TEST_CASE("handover/resolve: a path whose file is longer than the kernel can say is an error") {
  const Root root;
  // Made part by part: no call takes the whole path.
  UniqueFd at(::open((root.path / "data").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string part(250, 'p');
  for (int i = 0; i < 17; ++i) {
    REQUIRE(::mkdirat(at.get(), part.c_str(), 0700) == 0);
    at.reset(::openat(at.get(), part.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(at);
    if (i == 7) {
      const std::string there = "/proc/self/fd/" + std::to_string(at.get());
      const std::string text = fs::read_symlink(there).string().substr(root.path.string().size());
      root.link(text, "halfway");
    }
  }
  std::string path = "/halfway";
  for (int i = 0; i < 9; ++i) path += "/" + part;
  const auto result = resolve_path(root.fd.get(), path);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message.find("File name too long") != std::string::npos);
}

TEST_CASE("handover/resolve: the process's own root works, and one that was removed is an error") {
  const UniqueFd own(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  CHECK(resolved(own.get(), "/proc") == "/proc");
  CHECK(resolved(own.get(), "/no-such/file") == "/no-such/file");
  const test::TempDir directory;
  const UniqueFd gone(::open(directory.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::rmdir(directory.path.c_str()) == 0);
  CHECK(resolved(gone.get(), "/x").starts_with("error: "));
}
