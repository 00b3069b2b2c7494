#include "shares/helper_listener.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <vector>

#include "handover/share_socket.h"
#include "support/loop_fixture.h"
#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;

namespace {

const auto needs_mounts = doctest::skip(!can_mount());

struct Server {
  Server() {
    make_tmpfs(wsl, "mode=1777");
    write_file(program, "#!/bin/sh\n");
  }
  void start() { server.start(); }
  void end() { kept.reset(); }
  bool connects() {
    const auto run = handover::open_trusted(wsl, {handover::kRendezvous, "run"});
    if (!run) return false;
    const auto before = accepted;
    auto connected = handover::connect_in(run->get(), handover::kSocketName);
    return connected && causeway::test::run_until(loop, [&] { return accepted == before + 1; });
  }
  std::string place(const std::string& path) const { return wsl + "/docker-desktop" + path; }

  Sandbox sandbox;
  const std::string wsl = sandbox / "wsl";
  const std::string program = sandbox / "program";
  io::Loop loop;
  int accepted = 0;
  int changes = 0;
  std::unique_ptr<HelperListener> kept = std::make_unique<HelperListener>(
      loop, HelperListener::Paths{wsl, program}, [this](UniqueFd) { ++accepted; },
      [this] { ++changes; });
  HelperListener& server = *kept;
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode : 0;
}

}  // namespace

TEST_CASE("shares/helper_listener: makes its place, and helpers connect" * needs_mounts) {
  Server rig;
  rig.start();
  CHECK(rig.server.problem().empty());
  CHECK(rig.changes == 0);
  CHECK(mode_of(rig.place("")) == (S_IFDIR | 0755));
  CHECK(mode_of(rig.place("/run")) == (S_IFDIR | 0755));
  CHECK(mode_of(rig.place("/bin/causeway")) == (S_IFREG | 0755));
  CHECK(mode_of(rig.place("/run/share.sock")) == (S_IFSOCK | 0600));
  CHECK(rig.connects());
  CHECK(mounts_below(rig.wsl) == ".");
}

// What lies beside our place in <wsl>.
static std::vector<std::string> put_aside(const Server& rig) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(rig.wsl))
    if (entry.path() != rig.place("")) out.push_back(entry.path());
  return out;
}

// The file system is mode 1777: anybody may have been there first.
TEST_CASE("shares/helper_listener: what somebody else planted is put aside, and never used" *
          needs_mounts) {
  Server rig;
  const std::string elsewhere = rig.sandbox.folder("elsewhere");
  const auto where = rig.place("");
  SUBCASE("a directory of a user, with things in it") {
    REQUIRE(::mkdir(where.c_str(), 0755) == 0);
    REQUIRE(::mkdir((where + "/bin").c_str(), 0755) == 0);
    write_file(where + "/bin/causeway", "evil");
    REQUIRE(::chown(where.c_str(), 1000, 1000) == 0);
  }
  SUBCASE("a directory that others may write") {
    REQUIRE(::mkdir(where.c_str(), 0777) == 0);
    REQUIRE(::chmod(where.c_str(), 0777) == 0);
  }
  SUBCASE("a link") { REQUIRE(::symlink(elsewhere.c_str(), where.c_str()) == 0); }
  SUBCASE("a link that leads nowhere") { REQUIRE(::symlink("/nonexistent", where.c_str()) == 0); }
  SUBCASE("a file") { write_file(where, "mine"); }
  struct stat planted {};
  REQUIRE(::lstat(where.c_str(), &planted) == 0);
  const bool evil = exists(where + "/bin/causeway");
  rig.start();
  CHECK(rig.server.problem().empty());
  CHECK(mode_of(where) == (S_IFDIR | 0755));
  CHECK(content(rig.place("/bin/causeway")) == "#!/bin/sh\n");
  CHECK(rig.connects());
  const auto aside = put_aside(rig);
  REQUIRE(aside.size() == 1);
  CHECK(aside[0].starts_with(where + ".put-aside-"));
  CHECK(rig.server.put_aside() == aside[0]);
  struct stat now {};
  REQUIRE(::lstat(aside[0].c_str(), &now) == 0);
  CHECK(now.st_ino == planted.st_ino);
  CHECK(now.st_mode == planted.st_mode);
  CHECK(now.st_uid == planted.st_uid);
  if (evil) CHECK(content(aside[0] + "/bin/causeway") == "evil");
  CHECK_FALSE(exists(aside[0] + "/run"));
  CHECK(std::filesystem::is_empty(elsewhere));
  // What is planted later has no place: ours is root's, in a sticky directory.
  causeway::test::settle(rig.loop);
  CHECK(put_aside(rig).size() == 1);
}

// By somebody who never stops: in one step ours takes the place of theirs.
TEST_CASE("shares/helper_listener: a planter in a loop doesn't keep us away" * needs_mounts) {
  Server rig;
  const auto where = rig.place("");
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const pid_t planter = ::fork();
  REQUIRE(planter >= 0);
  if (planter == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setuid(1000) != 0) ::_exit(1);
    (void)!::write(pipe[1], "x", 1);
    for (;;) {
      ::mkdir(where.c_str(), 0777);
      ::rmdir(where.c_str());
      (void)!::symlink("/etc", where.c_str());
      ::unlink(where.c_str());
    }
  }
  char begun = 0;
  REQUIRE(::read(pipe[0], &begun, 1) == 1);
  rig.start();
  const bool there =
      causeway::test::run_until(rig.loop, [&] { return rig.server.problem().empty(); });
  const bool connects = there && rig.connects();
  ::kill(planter, SIGKILL);
  ::waitpid(planter, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  CHECK(there);
  CHECK(connects);
  CHECK(mode_of(where) == (S_IFDIR | 0755));
  CHECK_FALSE(exists("/etc/bin/causeway"));
}

// Further in only root can have done it: it is named, and left alone until it has gone.
TEST_CASE("shares/helper_listener: a link further in is refused, until it has gone" *
          needs_mounts) {
  Server rig;
  const std::string elsewhere = rig.sandbox.folder("elsewhere");
  const auto where = rig.place("/run");
  REQUIRE(::mkdir(rig.place("").c_str(), 0755) == 0);
  REQUIRE(::symlink(elsewhere.c_str(), where.c_str()) == 0);
  rig.start();
  CAPTURE(rig.server.problem());
  CHECK(rig.server.problem().find(where) != std::string::npos);
  CHECK(rig.changes == 1);
  CHECK(std::filesystem::is_empty(elsewhere));
  REQUIRE(::unlink(where.c_str()) == 0);
  REQUIRE(causeway::test::run_until(rig.loop, [&] { return rig.server.problem().empty(); }));
  CHECK(rig.changes == 2);
  CHECK(rig.connects());
}

TEST_CASE("shares/helper_listener: what is taken away is made again" * needs_mounts) {
  Server rig;
  rig.start();
  CHECK(rig.connects());
  SUBCASE("the socket") { REQUIRE(::unlink(rig.place("/run/share.sock").c_str()) == 0); }
  SUBCASE("another's socket in its place") {
    REQUIRE(::unlink(rig.place("/run/share.sock").c_str()) == 0);
    write_file(rig.place("/run/share.sock"), "");
  }
  SUBCASE("the program") { REQUIRE(::unlink(rig.place("/bin/causeway").c_str()) == 0); }
  SUBCASE("another program") { write_file(rig.place("/bin/causeway"), "evil"); }
  SUBCASE("all of it") {
    REQUIRE(::unlink(rig.place("/run/lock").c_str()) == 0);
    REQUIRE(::unlink(rig.place("/run/share.sock").c_str()) == 0);
    REQUIRE(::unlink(rig.place("/bin/causeway").c_str()) == 0);
    for (const char* path : {"/run", "/bin", ""}) REQUIRE(::rmdir(rig.place(path).c_str()) == 0);
  }
  REQUIRE(causeway::test::run_until(rig.loop, [&] {
    return content(rig.place("/bin/causeway")) == "#!/bin/sh\n" &&
           mode_of(rig.place("/run/share.sock")) == (S_IFSOCK | 0600);
  }));
  CHECK(rig.connects());
  CHECK_FALSE(exists(rig.place("/bin/.causeway.new")));
}

TEST_CASE("shares/helper_listener: the program is copied whole, and only when it is another" *
          needs_mounts) {
  Sandbox sandbox;
  const std::string program = sandbox / "program";
  write_file(program, std::string(700'000, 'x') + "end");
  const UniqueFd bin(::open(sandbox.folder("bin").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(*install_program(program, bin.get(), "causeway"));
  const auto id = handover::file_id(bin.get(), "causeway");
  CHECK(content(sandbox / "bin/causeway") == content(program));
  CHECK_FALSE(*install_program(program, bin.get(), "causeway"));
  CHECK(*handover::file_id(bin.get(), "causeway") == *id);
  write_file(program, std::string(700'000, 'x') + "END");
  CHECK(*install_program(program, bin.get(), "causeway"));
  CHECK_FALSE(*handover::file_id(bin.get(), "causeway") == *id);
  CHECK(content(sandbox / "bin/causeway") == content(program));
}

// A second agent in the VM, in a distro of its own, sees the same <wsl>.
TEST_CASE("shares/helper_listener: one agent serves the distros, the next one waits for its end" *
          needs_mounts) {
  Server rig;
  rig.start();
  const auto socket = handover::file_id(AT_FDCWD, rig.place("/run/share.sock"));
  int accepted = 0;
  HelperListener second(
      rig.loop, {rig.wsl, rig.program}, [&](UniqueFd) { ++accepted; }, [] {});
  second.start();
  CHECK(second.problem() == "another agent in this VM serves them; end it, or leave them to it");
  // Both are called for each change there, and leave it as it is.
  REQUIRE(::utimensat(AT_FDCWD, rig.place("/run/share.sock").c_str(), nullptr, 0) == 0);
  write_file(rig.place("/run/something"), "");
  causeway::test::settle(rig.loop);
  CHECK(*handover::file_id(AT_FDCWD, rig.place("/run/share.sock")) == *socket);
  CHECK(rig.server.problem().empty());
  CHECK(rig.connects());
  CHECK(accepted == 0);
  SUBCASE("the lock is taken away: still one of the two") {
    REQUIRE(::unlink(rig.place("/run/lock").c_str()) == 0);
    REQUIRE(causeway::test::run_until(rig.loop, [&] {
      return exists(rig.place("/run/lock")) &&
             rig.server.problem().empty() != second.problem().empty();
    }));
  }
  SUBCASE("the first one ends") {
    rig.end();
    REQUIRE(causeway::test::run_until(rig.loop, [&] { return second.problem().empty(); }));
    const auto run = handover::open_trusted(rig.wsl, {handover::kRendezvous, "run"});
    REQUIRE(handover::connect_in(run->get(), handover::kSocketName).ok());
    CHECK(causeway::test::run_until(rig.loop, [&] { return accepted == 1; }));
  }
  SUBCASE("the first one is killed before a child of it has become another program") {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) ::pause();
    }
    rig.end();
    second.call_again();
    causeway::test::settle(rig.loop);
    CHECK_FALSE(second.problem().empty());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    REQUIRE(causeway::test::run_until(rig.loop, [&] { return second.problem().empty(); }));
    const auto run = handover::open_trusted(rig.wsl, {handover::kRendezvous, "run"});
    REQUIRE(handover::connect_in(run->get(), handover::kSocketName).ok());
    CHECK(causeway::test::run_until(rig.loop, [&] { return accepted == 1; }));
  }
}

TEST_CASE("shares/helper_listener: calling touches the socket" * needs_mounts) {
  Server rig;
  rig.start();
  const timespec old[2] = {{1, 0}, {1, 0}};
  const auto socket = rig.place("/run/share.sock");
  REQUIRE(::utimensat(AT_FDCWD, socket.c_str(), old, 0) == 0);
  rig.server.call_again();
  struct stat info {};
  REQUIRE(::stat(socket.c_str(), &info) == 0);
  CHECK(info.st_mtim.tv_sec > 1);
  causeway::test::settle(rig.loop);
  CHECK(rig.connects());  // it is still the same one
}
