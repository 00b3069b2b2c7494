#include "distro/account_files.h"

#include <cerrno>

#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

Result<std::optional<std::string>> append_x(const std::string& text) {
  return std::optional(text + "x\n");
}

}  // namespace

TEST_CASE("distro/account_files: an edit changes the file, or not") {
  const Tree tree;
  const auto before = tree.read("etc/group");
  const auto changed = edit_account_file(tree.files, "/etc/group", append_x);
  REQUIRE(changed.ok());
  CHECK(*changed);
  CHECK(tree.read("etc/group") == before + "x\n");
  const auto same = edit_account_file(tree.files, "/etc/group", [](const std::string&) {
    return Result<std::optional<std::string>>(std::optional<std::string>());
  });
  REQUIRE(same.ok());
  CHECK_FALSE(*same);
  CHECK(edit_account_file(tree.files, "/etc/none", append_x).error().code == ENOENT);
  CHECK_FALSE(tree.exists("etc/.pwd.lock"));  // none is made
}

TEST_CASE("distro/account_files: a lock of passwd's kind is respected, and left free") {
  const Tree tree;
  tree.write("etc/.pwd.lock", "");
  const std::string path = tree.path / "etc/.pwd.lock";
  const UniqueFd other(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  struct flock whole {};
  whole.l_type = F_WRLCK;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  const auto before = tree.read("etc/group");
  const auto busy = edit_account_file(tree.files, "/etc/group", append_x);
  REQUIRE_FALSE(busy.ok());
  CHECK(busy.error().code == EAGAIN);
  CHECK(tree.read("etc/group") == before);
  whole.l_type = F_UNLCK;
  REQUIRE(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
  CHECK(edit_account_file(tree.files, "/etc/group", append_x).ok());
  whole.l_type = F_WRLCK;
  CHECK(::fcntl(other.get(), F_OFD_SETLK, &whole) == 0);
}

TEST_CASE("distro/account_files: somebody's change at the same time is not lost") {
  const Tree tree;
  int calls = 0;
  const auto changed = edit_account_file(
      tree.files, "/etc/group", [&](const std::string& text) -> Result<std::optional<std::string>> {
        if (++calls == 1) tree.write("etc/group", "bob:x:1001:\n");
        return std::optional(text + "x\n");
      });
  REQUIRE(changed.ok());
  CHECK(calls == 2);
  CHECK(tree.read("etc/group") == "bob:x:1001:\nx\n");
  const auto never = edit_account_file(
      tree.files, "/etc/group", [&](const std::string&) -> Result<std::optional<std::string>> {
        tree.write("etc/group", std::to_string(++calls));
        return std::optional<std::string>("x");
      });
  REQUIRE_FALSE(never.ok());
  CHECK(never.error().code == EAGAIN);
}

TEST_CASE("distro/account_files: a link is not followed") {
  const Tree tree;
  fs::rename(tree.path / "etc/group", tree.path / "etc/real");
  fs::create_symlink("real", tree.path / "etc/group");
  CHECK_FALSE(edit_account_file(tree.files, "/etc/group", append_x).ok());
}
