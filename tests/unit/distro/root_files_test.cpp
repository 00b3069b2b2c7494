#include "distro/root_files.h"

#include <sys/xattr.h>

#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

template <typename T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? "fine" : result.error().message;
}
template <typename T>
int code_of(const Result<T>& result) {
  return result.ok() ? 0 : result.error().code;
}

}  // namespace

TEST_CASE("distro/root_files: links lead where they do in the distro") {
  const Tree tree;
  fs::create_symlink("/etc", tree.path / "absolute");
  fs::create_symlink("../../../../../etc", tree.path / "far");
  CHECK(*tree.files.read("/absolute/group") == tree.read("etc/group"));
  CHECK(*tree.files.read("/far/group") == tree.read("etc/group"));
  CHECK(*tree.files.read("/var/run/../etc/group") == tree.read("etc/group"));
  REQUIRE(tree.files.create("/absolute/new", "x", 0600).ok());
  CHECK(tree.read("etc/new") == "x");
  fs::create_symlink("group", tree.path / "etc/link");
  CHECK(error_of(tree.files.read("/etc/link")) == "/etc/link is a link");
  CHECK(*tree.files.read_link("/etc/link") == "group");
  const auto there = tree.files.look("/etc/link");
  REQUIRE((there.ok() && there->has_value()));
  CHECK(S_ISLNK((*there)->st_mode));
  CHECK_FALSE(tree.files.look("/no/such/file")->has_value());
  CHECK(*tree.files.list("/absolute") ==
        std::vector<std::string>{"group", "gshadow", "link", "new", "passwd"});
  for (const char* path : {"/", "/etc/.", "/etc/..", "", "etc"})
    CHECK_MESSAGE(!tree.files.look(path).ok(), path);
}

TEST_CASE("distro/root_files: in a home no link is followed") {
  const Tree tree;
  fs::create_symlink("/etc", tree.path / "home/me/.docker");
  fs::create_symlink("../..", tree.path / "home/me/up");
  const auto home = tree.files.home("/home/me");
  REQUIRE(home.ok());
  CHECK(code_of(home->create("/.docker/x", "x", 0600)) == ELOOP);
  CHECK(code_of(home->make_directory("/up/x", 0755)) == ELOOP);
  CHECK(code_of(home->create("/../x", "x", 0600)) == EXDEV);
  CHECK(home->create("/x", "x", 0600).ok());
  CHECK(tree.read("home/me/x") == "x");
  CHECK_FALSE(tree.exists("etc/x"));
}

TEST_CASE("distro/root_files: files are made whole, and never over others") {
  const Tree tree;
  CHECK(code_of(tree.files.create("/etc/group", "x", 0644)) == EEXIST);
  CHECK(tree.read("etc/group").starts_with("root:"));
  ::umask(077);
  CHECK(tree.files.create("/etc/new", "x", 0664).ok());
  CHECK(tree.files.make_directory("/etc/dir", 0775).ok());
  ::umask(022);
  CHECK((fs::status(tree.path / "etc/new").permissions() & fs::perms::all) == fs::perms(0664));
  CHECK((fs::status(tree.path / "etc/dir").permissions() & fs::perms::all) == fs::perms(0775));
  CHECK(code_of(tree.files.make_directory("/etc/dir", 0775)) == EEXIST);
  CHECK(tree.files.put("/etc/new", "y", 0600).ok());
  CHECK(tree.read("etc/new") == "y");
  CHECK(tree.files.make_link("/etc/link", "a").ok());
  CHECK(code_of(tree.files.make_link("/etc/link", "b")) == EEXIST);
  CHECK(tree.files.replace_link("/etc/link", "b").ok());
  CHECK(*tree.files.read_link("/etc/link") == "b");

  // What a killed helper has left is in nobody's way.
  tree.write("etc/.other.causeway-new", "half");
  CHECK(tree.files.create("/etc/other", "whole", 0644).ok());
  CHECK(tree.read("etc/other") == "whole");
  tree.write("etc/.other.causeway-new", "half");
  tree.files.remove_temporary("/etc/other");
  CHECK_FALSE(tree.exists("etc/.other.causeway-new"));
}

TEST_CASE("distro/root_files: a replaced file keeps mode, owner and attributes") {
  if (!is_root("giving files away")) return;
  const Tree tree;
  const std::string path = tree.path / "etc/gshadow";
  const bool attributes = ::setxattr(path.c_str(), "user.test", "value", 5, 0) == 0;
  if (!attributes) MESSAGE("not tested: this file system has no user attributes");
  const std::string before = tree.read("etc/gshadow");
  CHECK(code_of(tree.files.replace("/etc/gshadow", "something else", "new")) == EAGAIN);
  CHECK(tree.read("etc/gshadow") == before);
  CHECK_FALSE(tree.exists("etc/.gshadow.causeway-new"));
  REQUIRE(tree.files.replace("/etc/gshadow", before, "new\n").ok());
  CHECK(tree.read("etc/gshadow") == "new\n");
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0640);
  CHECK(info.st_gid == 42);
  std::string value(16, 0);
  if (attributes) {
    const auto size = ::getxattr(path.c_str(), "user.test", value.data(), value.size());
    CHECK(value.substr(0, static_cast<std::size_t>(std::max<ssize_t>(size, 0))) == "value");
  }
  CHECK(code_of(tree.files.replace("/etc/none", "", "x")) == ENOENT);
}

TEST_CASE("distro/root_files: removing what isn't there is fine, what is full isn't removed") {
  const Tree tree;
  CHECK(tree.files.remove("/etc/none").ok());
  CHECK(tree.files.remove("/no/such/file").ok());
  CHECK(tree.files.remove_directory("/no/such/directory").ok());
  CHECK(code_of(tree.files.remove_directory("/etc")) == ENOTEMPTY);
  CHECK(tree.files.remove_directory("/usr/local/bin").ok());
  CHECK(tree.files.remove("/etc/group").ok());
  CHECK_FALSE(tree.exists("etc/group"));
}

TEST_CASE("distro/root_files: as a user one can do what the user can") {
  if (!is_root("becoming another user")) return;
  const Tree tree;
  {
    const AsUser user(1000, 1000);
    CHECK(code_of(tree.files.create("/etc/x", "x", 0644)) == EACCES);
    CHECK(code_of(tree.files.read("/etc/gshadow")) == EACCES);
    CHECK(tree.files.create("/home/me/x", "x", 0644).ok());
  }
  CHECK(tree.files.create("/etc/x", "x", 0644).ok());
  struct stat info {};
  REQUIRE(::stat((tree.path / "home/me/x").c_str(), &info) == 0);
  CHECK(info.st_uid == 1000);
  CHECK(info.st_gid == 1000);
}
