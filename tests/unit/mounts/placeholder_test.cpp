#include "mounts/placeholder.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::mounts;
using namespace causeway::shares::testing;

namespace {
using Strings = std::vector<std::string>;
const auto needs_mounts = doctest::skip(!can_mount());
}  // namespace

TEST_CASE("mounts/placeholder: read-only, made once, and known again" * needs_mounts) {
  const Sandbox sandbox;
  const auto place = Placeholder::at(sandbox / "mnt/distro");
  REQUIRE(place);
  const auto mount = mount_at(sandbox / "mnt/distro");
  CHECK(mount.fs_type == "tmpfs");
  CHECK(mount.source == "causeway");
  CHECK(mount.options.starts_with("ro,"));
  CHECK(::mkdir((sandbox / "mnt/distro/x").c_str(), 0755) != 0);
  CHECK(errno == EROFS);

  REQUIRE(Placeholder::at(sandbox / "mnt/distro"));
  CHECK(mounts_below(sandbox / "mnt") == "/distro");
}

TEST_CASE("mounts/placeholder: not over somebody else's mount" * needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "taken");
  const auto place = Placeholder::at(sandbox / "taken");
  REQUIRE_FALSE(place);
  CHECK(place.error().message.find("something else is mounted") != std::string::npos);
}

TEST_CASE("mounts/placeholder: a directory is there only while something is attached" *
          needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "source");
  write_file(sandbox / "source/who", "me");
  const auto place = Placeholder::at(sandbox / "distro");
  REQUIRE(place);
  const auto tree = clone_mount(sandbox / "source", false);
  REQUIRE(tree);
  REQUIRE(place->attach(tree->get(), "Ubuntu"));
  CHECK(*place->names() == Strings{"Ubuntu"});
  CHECK(place->mounted("Ubuntu"));
  CHECK(content(sandbox / "distro/Ubuntu/who") == "me");
  // The share itself is as writable as its source was, the placeholder beside it isn't.
  write_file(sandbox / "distro/Ubuntu/new", "x");
  CHECK(content(sandbox / "source/new") == "x");
  CHECK(::mkdir((sandbox / "distro/other").c_str(), 0755) != 0);

  REQUIRE(place->detach("Ubuntu"));
  CHECK(place->names()->empty());
  CHECK_FALSE(place->mounted("Ubuntu"));
  CHECK(content(sandbox / "source/who") == "me");
  REQUIRE(place->detach("Ubuntu"));  // nothing there
}

TEST_CASE("mounts/placeholder: what can't be attached leaves no directory" * needs_mounts) {
  const Sandbox sandbox;
  const auto place = Placeholder::at(sandbox / "distro");
  REQUIRE(place);
  const UniqueFd no_tree(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(place->attach(no_tree.get(), "Ubuntu"));
  CHECK(place->names()->empty());
}

// A long-lived process with a mount namespace of its own would keep the disk busy for ever.
TEST_CASE("mounts/placeholder: what is detached goes from private mount namespaces too" *
          needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "source");
  const auto place = Placeholder::at(sandbox / "distro");
  REQUIRE(place);
  REQUIRE(place->attach(clone_mount(sandbox / "source", false)->get(), "Ubuntu"));

  std::array<int, 2> told{};
  REQUIRE(::pipe2(told.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool done = ::unshare(CLONE_NEWNS) == 0 &&
                      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    (void)!::write(told[1], done ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char answer = 0;
  REQUIRE(::read(told[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  const std::string theirs = "/proc/" + std::to_string(child) + "/mountinfo";
  CHECK(content(theirs).find(" " + sandbox / "distro/Ubuntu ") != std::string::npos);
  REQUIRE(place->detach("Ubuntu"));
  CHECK(content(theirs).find(" " + sandbox / "distro ") != std::string::npos);
  CHECK(content(theirs).find(" " + sandbox / "distro/Ubuntu ") == std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
}

TEST_CASE("mounts/placeholder: staging is private, and empty after each start" * needs_mounts) {
  const Sandbox sandbox;
  make_tmpfs(sandbox / "source");
  REQUIRE(make_staging(sandbox / "staging"));
  CHECK(mount_at(sandbox / "staging").propagation.empty());
  REQUIRE(::mkdir((sandbox / "staging/a").c_str(), 0700) == 0);
  {
    const auto tree = clone_mount(sandbox / "source", false);
    const UniqueFd target(::open((sandbox / "staging/a").c_str(), O_PATH | O_CLOEXEC));
    REQUIRE(attach_tree(tree->get(), target.get()));
  }
  REQUIRE(make_staging(sandbox / "staging"));
  CHECK(mounts_below(sandbox / "staging") == ".");
  CHECK_FALSE(exists(sandbox / "staging/a"));
}
