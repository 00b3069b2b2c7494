#include "distro/docker_socket.h"

#include <sys/socket.h>

#include "../support/settle.h"
#include "distro/listening.h"
#include "distro/undo.h"
#include "io/endpoint.h"
#include "io/timer.h"
#include "tree.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

// A helper's life as far as its socket goes.
struct Life {
  explicit Life(const Tree& of)
      : tree(of),
        manifest(of.manifest()),
        socket(loop, of.files, manifest, of.path, [this] { ++changes; }) {}

  std::string told() {
    causeway::test::settle(loop);
    const auto& item = socket.item();
    return std::string(handover::name_of(item.state)) +
           (item.reason.empty() ? "" : ": " + item.reason);
  }
  bool until(const std::string& expected) {
    bool late = false;
    io::Timer bound(loop);
    bound.start(10'000, [&] { late = true; });
    while (told() != expected && !late) loop.turn();
    return !late;
  }

  const Tree& tree;
  io::Loop loop;
  Manifest manifest;
  int changes = 0;
  DockerSocket socket;
};

bool connects(const Tree& tree) { return io::connect_unix(tree.path / "run/docker.sock").ok(); }
ino_t inode(const Tree& tree) {
  struct stat info {};
  return ::lstat((tree.path / "run/docker.sock").c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

TEST_CASE("distro/docker_socket: bound once, for root and the group, and gone at the end") {
  if (!is_root("giving files away")) return;
  const Tree tree;
  const auto before = tree.snapshot();
  {
    Life life(tree);
    life.socket.ensure(998);
    CHECK(life.told() == "added");
    CHECK(life.changes == 1);
    CHECK(life.socket.path() == "/run/docker.sock");
    CHECK(life.socket.generation() == 1);
    struct stat info {};
    REQUIRE(::stat((tree.path / "run/docker.sock").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0660);
    CHECK(info.st_uid == 0);
    CHECK(info.st_gid == 998);
    CHECK(connects(tree));
    const auto first = inode(tree);
    life.socket.ensure(997);  // the group's number is another one now
    CHECK(life.told() == "added");
    CHECK(inode(tree) == first);
    REQUIRE(::stat((tree.path / "run/docker.sock").c_str(), &info) == 0);
    CHECK(info.st_gid == 997);
    CHECK(life.changes == 1);
    // The duplicate is the listening socket.
    const auto duplicate = life.socket.duplicate();
    REQUIRE(duplicate);
    const UniqueFd accepted(::accept4(duplicate.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(accepted);
  }
  auto manifest = tree.manifest();
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/docker_socket: removed, it is bound anew at once") {
  const Tree tree;
  Life life(tree);
  life.socket.ensure(std::nullopt);
  CHECK(life.told() == "added");
  fs::remove(tree.path / "run/docker.sock");
  CHECK(life.until("added"));
  for (int i = 0; i < 100 && life.socket.generation() < 2; ++i) life.loop.turn();
  CHECK(life.socket.generation() == 2);
  CHECK(connects(tree));
  life.told();
  CHECK(life.changes == 2);
}

TEST_CASE("distro/docker_socket: a new directory in place of /run is seen when asked to look") {
  const Tree tree;
  Life life(tree);
  life.socket.ensure(std::nullopt);
  fs::rename(tree.path / "run", tree.path / "old");
  fs::create_directory(tree.path / "run");
  life.socket.ensure(std::nullopt);
  CHECK(life.told() == "added");
  CHECK(life.socket.generation() == 2);
  CHECK(connects(tree));
  // And the new one is watched.
  fs::remove(tree.path / "run/docker.sock");
  for (int i = 0; i < 100 && life.socket.generation() < 3; ++i) life.loop.turn();
  CHECK(life.socket.generation() == 3);
}

TEST_CASE("distro/docker_socket: a later helper keeps the one that the agent listens on") {
  const Tree tree;
  UniqueFd agents;
  {
    Life life(tree);
    life.socket.ensure(std::nullopt);
    agents = life.socket.duplicate();
  }
  const auto first = inode(tree);
  {
    Life life(tree);
    life.socket.ensure(std::nullopt);
    CHECK(life.told() == "added");
    CHECK(inode(tree) == first);
    CHECK_FALSE(life.socket.duplicate());
    CHECK(life.socket.generation() == 0);
  }
  // The agent has none any more: nobody listens on it.
  agents.reset();
  Life life(tree);
  life.socket.ensure(std::nullopt);
  CHECK(life.told() == "added");
  CHECK(life.socket.generation() == 1);
  CHECK(connects(tree));
}

TEST_CASE("distro/docker_socket: another engine's is left alone, until it is gone") {
  const Tree tree;
  const std::string path = tree.path / "run/docker.sock";
  auto other = io::listen_unix(path, 0660);
  REQUIRE(other.ok());
  const auto theirs = inode(tree);
  Life life(tree);
  life.socket.ensure(std::nullopt);
  CHECK(life.told() == "left_alone: another engine listens there");
  CHECK(inode(tree) == theirs);
  {
    auto manifest = tree.manifest();
    CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
    CHECK(inode(tree) == theirs);
  }
  fs::remove(path);
  other->reset();
  CHECK(life.until("added"));
  CHECK(connects(tree));

  // It comes back, in our place.
  auto again = io::listen_unix(path, 0660);
  REQUIRE(again.ok());
  CHECK(life.until("left_alone: another engine listens there"));
  CHECK_FALSE(life.socket.duplicate());
}

TEST_CASE("distro/docker_socket: one that nobody listens on is replaced, after a while") {
  const Tree tree;
  const std::string path = tree.path / "run/docker.sock";
  REQUIRE(io::listen_unix(path, 0660).ok());  // and closed
  const auto old = inode(tree);
  Life life(tree);
  life.socket.ensure(std::nullopt);
  CHECK(life.told() == "left_alone: a socket is in its place on which nobody listens (yet)");
  CHECK(inode(tree) == old);
  CHECK(life.until("added"));
  CHECK(connects(tree));
}

TEST_CASE("distro/docker_socket: a file or a link is nobody's to replace") {
  for (const bool link : {false, true}) {
    const Tree tree;
    if (link) {
      fs::create_symlink("/mnt/wsl/docker.sock", tree.path / "run/docker.sock");
    } else {
      tree.write("run/docker.sock", "x");
    }
    const auto before = tree.snapshot();
    Life life(tree);
    life.socket.ensure(std::nullopt);
    CHECK(life.told() == (link ? "left_alone: a link is in its place"
                               : "left_alone: another file is in its place"));
    CHECK(tree.snapshot() == before);
  }
}

TEST_CASE("distro/docker_socket: without /var/run it is made, and goes again") {
  const Tree tree;
  fs::remove(tree.path / "var/run");
  const auto before = tree.snapshot();
  {
    Life life(tree);
    life.socket.ensure(std::nullopt);
    CHECK(life.told() == "added");
    CHECK(life.socket.path() == "/var/run/docker.sock");
  }
  auto manifest = tree.manifest();
  CHECK(undo_all(tree.files, manifest, [](const Addition&) { return true; }).empty());
  CHECK(tree.snapshot() == before);
}

TEST_CASE("distro/docker_socket: one that can't be bound is told, and tried again in a while") {
  const Tree tree;
  fs::remove(tree.path / "var/run");
  fs::create_symlink("/nowhere", tree.path / "var/run");
  Life life(tree);
  life.socket.ensure(std::nullopt);
  CHECK(life.told().starts_with("failed: "));
}

TEST_CASE("distro/listening: a socket that can be asked says whether somebody listens") {
  const Tree tree;
  const std::string path = tree.path / "run/s";
  CHECK(probe_socket(tree.files, "/run/s") == Listening::unknown);
  {
    const auto listening = io::listen_unix(path, 0600);
    REQUIRE(listening.ok());
    CHECK(probe_socket(tree.files, "/run/s") == Listening::somebody);
    CHECK(probe_socket(tree.files, "/var/run/s") == Listening::somebody);
  }
  CHECK(probe_socket(tree.files, "/run/s") == Listening::nobody);
}
