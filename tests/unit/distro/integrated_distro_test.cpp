#include "distro/integrated_distro.h"

#include <sys/mount.h>
#include <sys/socket.h>

#include "distro/tool_links.h"
#include "fake_agent.h"
#include "io/endpoint.h"
#include "mounts/mount_calls.h"
#include "own_mounts.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::distro;
using namespace causeway::distro::test;

namespace {

// A helper in a tree, and its agent. The mounts are those of the test program.
struct Rig {
  Rig() : agent(loop) {
    fs::create_directories(tree.path / "tools-of-agent");
    REQUIRE(::mount("tools", (tree.path / "tools-of-agent").c_str(), "tmpfs", 0, "mode=755") == 0);
    tree.write("tools-of-agent/bin/docker", "docker");
    before = tree.snapshot();
  }
  ~Rig() {
    (void)!::umount2((tree.path / "tools-of-agent").c_str(), MNT_DETACH);
    (void)!::umount2((tree.path / "usr/local/lib/causeway").c_str(), MNT_DETACH);
  }

  void start(const std::string& user = "1000") {
    ended.reset();
    Options options;
    options.name = "Test";
    options.user = user;
    options.wsl = agent.wsl.path;
    options.root = tree.path;
    distro = std::make_unique<IntegratedDistro>(loop, tree.files, options,
                                                [this](bool whole) { ended = whole; });
    const auto started = distro->start();
    if (!started) FAIL(started.error().message);
  }
  // Until everything of a first connection is there.
  void welcome() {
    agent.take<handover::Hello>();
    agent.send(handover::Welcome{});
    agent.take<handover::MountsDone>();
  }
  UniqueFd tools() const {
    const UniqueFd fd(::open((tree.path / "tools-of-agent").c_str(), O_PATH | O_CLOEXEC));
    auto clone = mounts::clone_shown(fd.get());
    if (!clone) FAIL(clone.error().message);
    return *std::move(clone);
  }
  // Until the helper tells the item `what` so, "added member new"; all that it told until then.
  void wait_item(const std::string& text) {
    agent.take<handover::Report>([&](const handover::Report& report) {
      for (const auto& item : report.report.items)
        if ((std::string(handover::name_of(item.state)) + " " + item.what + " " + item.path)
                .starts_with(text))
          return true;
      return false;
    });
  }
  // As useradd(8) and editors do.
  void replace(const std::string& name, const std::string& content) const {
    tree.write(name + "+", content);
    fs::rename(tree.path / (name + "+"), tree.path / name);
  }
  bool is_link(const std::string& name) const { return fs::is_symlink(tree.path / name); }

  Tree tree;
  io::Loop loop;
  FakeAgent agent;
  std::string before;
  std::optional<bool> ended;
  std::unique_ptr<IntegratedDistro> distro;
};

bool accepts(const Tree& tree, const UniqueFd& listening) {
  const auto client = io::connect_unix(tree.path / "run/docker.sock");
  const UniqueFd accepted(
      ::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  return client.ok() && accepted;
}

}  // namespace

TEST_CASE(
    "distro/integrated_distro: nothing is touched before the welcome, all is undone at the "
    "remove") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.start();
  rig.agent.settle();
  rig.agent.listen();
  const auto hello = rig.agent.take<handover::Hello>();
  CHECK(std::get<handover::Hello>(hello.body).distro == "Test");
  CHECK(std::get<handover::Hello>(hello.body).table.wsl == rig.agent.wsl.path.string());
  CHECK(hello.fd);
  CHECK(rig.tree.snapshot() == rig.before);

  rig.agent.send(handover::Welcome{});
  const auto root = rig.agent.take<handover::Mount>();
  CHECK(std::get<handover::Mount>(root.body).point == "/");
  CHECK(root.fd);
  rig.agent.take<handover::MountsDone>();
  const auto socket = rig.agent.take<handover::Socket>();
  CHECK(std::get<handover::Socket>(socket.body).path == "/run/docker.sock");
  CHECK(accepts(rig.tree, socket.fd));
  const auto report = std::get<handover::Report>(rig.agent.take<handover::Report>().body).report;
  REQUIRE(report.items.size() == 4);
  CHECK(report.items[0].what == "docker.sock");
  CHECK(report.items[1].what == "group");
  CHECK(report.items[2].what == "member");
  CHECK(report.items[3].what == "context");
  for (const auto& item : report.items) {
    CAPTURE(item.what + " " + item.path + " " + item.reason);
    CHECK(item.state == handover::DistroReport::State::added);
  }
  REQUIRE(report.notes.size() == 1);
  CHECK(report.notes[0].starts_with("open a new shell"));

  rig.agent.send(handover::Tools{}, rig.tools());
  REQUIRE(rig.agent.until([&] { return rig.is_link("usr/local/bin/docker"); }));
  CHECK(rig.tree.read("usr/local/bin/docker").empty());  // absolute: leads out of the tree
  CHECK(rig.tree.read("usr/local/lib/causeway/bin/docker") == "docker");

  rig.agent.send(handover::Remove{});
  rig.agent.take<handover::Removed>();
  REQUIRE(rig.agent.until([&] { return rig.ended.has_value(); }));
  CHECK(*rig.ended);
  CHECK(rig.tree.snapshot() == rig.before);
}

TEST_CASE("distro/integrated_distro: links and the socket are repaired") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.agent.listen();
  rig.start();
  rig.welcome();
  rig.agent.send(handover::Tools{}, rig.tools());
  REQUIRE(rig.agent.until([&] { return rig.is_link("usr/local/bin/docker"); }));
  rig.agent.take<handover::Socket>();
  rig.agent.settle();
  for (int i = 0; i < 2; ++i) {
    fs::remove(rig.tree.path / "usr/local/bin/docker");
    CHECK(rig.agent.until([&] { return rig.is_link("usr/local/bin/docker"); }));
    fs::remove(rig.tree.path / "run/docker.sock");
    CHECK(accepts(rig.tree, rig.agent.take<handover::Socket>().fd));
  }
  // As systemd does at its start.
  REQUIRE(::mount("run", (rig.tree.path / "run").c_str(), "tmpfs", 0, "mode=755") == 0);
  CHECK(accepts(rig.tree, rig.agent.take<handover::Socket>().fd));
  REQUIRE(::umount2((rig.tree.path / "run").c_str(), MNT_DETACH) == 0);
  REQUIRE(rig.agent.until([&] { return rig.tree.exists("run/docker.sock"); }));

  // The user's own file is the user's.
  fs::remove(rig.tree.path / "usr/local/bin/docker");
  rig.tree.write("usr/local/bin/docker", "mine");
  rig.agent.take<handover::Report>([](const handover::Report& report) {
    for (const auto& item : report.report.items)
      if (item.path == "/usr/local/bin/docker")
        return item.state == handover::DistroReport::State::left_alone;
    return false;
  });
  CHECK(rig.tree.read("usr/local/bin/docker") == "mine");

  // Somebody takes the tools away: the agent is asked for them by a new hello.
  const int connections = rig.agent.connections;
  REQUIRE(::umount2((rig.tree.path / kToolsPath).c_str(), MNT_DETACH) != 0);  // absolute
  REQUIRE(::umount2((rig.tree.path.string() + kToolsPath).c_str(), MNT_DETACH) == 0);
  rig.agent.take<handover::Hello>();
  CHECK(rig.agent.connections == connections + 1);
}

TEST_CASE("distro/integrated_distro: new and vanished mounts are told, and paths resolved") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.agent.listen();
  rig.start();
  rig.welcome();
  // Not in the tree: that may lie below /dev, of which nothing is shared.
  const causeway::test::TempDir outside;
  const std::string& point = outside.path;
  REQUIRE(::mount("data", point.c_str(), "tmpfs", 0, nullptr) == 0);
  const auto mount =
      rig.agent.take<handover::Mount>([&](const handover::Mount& m) { return m.point == point; });
  struct stat there {};
  struct stat clone {};
  REQUIRE(::stat(point.c_str(), &there) == 0);
  REQUIRE(::fstat(mount.fd.get(), &clone) == 0);
  CHECK(there.st_dev == clone.st_dev);
  REQUIRE(::umount2(point.c_str(), MNT_DETACH) == 0);
  rig.agent.take<handover::Unmounted>(
      [&](const handover::Unmounted& m) { return m.point == point; });

  fs::create_symlink("/nowhere", rig.tree.path / "etc/lost");
  rig.agent.send(handover::Resolve{7, {"/var/run/x", "/etc/lost/x"}});
  const auto resolved = std::get<handover::Resolved>(rig.agent.take<handover::Resolved>().body);
  CHECK(resolved.ticket == 7);
  REQUIRE(resolved.results.size() == 2);
  CHECK(resolved.results[0].path == "/run/x");
  CHECK(resolved.results[1].error ==
        "\"/etc/lost\" is a link that leads nowhere (to \"/nowhere\")");
}

TEST_CASE("distro/integrated_distro: after the agent's restart everything is told again") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.agent.listen();
  rig.start();
  rig.welcome();
  const auto first = rig.agent.take<handover::Socket>();
  rig.agent.take<handover::Report>();
  rig.agent.die();
  rig.agent.settle();
  rig.agent.listen();
  rig.welcome();
  CHECK(accepts(rig.tree, rig.agent.take<handover::Socket>().fd));
  rig.agent.take<handover::Report>();
  CHECK(accepts(rig.tree, first.fd));  // it was never bound again
}

TEST_CASE("distro/integrated_distro: a helper that was killed is gone on with, or undone") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.agent.listen();
  rig.start();
  rig.welcome();
  const auto socket = rig.agent.take<handover::Socket>();
  rig.agent.send(handover::Tools{}, rig.tools());
  REQUIRE(rig.agent.until([&] { return rig.is_link("usr/local/bin/docker"); }));
  rig.distro.reset();

  rig.start();
  rig.welcome();
  rig.agent.take<handover::Report>();
  CHECK_FALSE(rig.agent.has<handover::Socket>());
  CHECK(accepts(rig.tree, socket.fd));
  rig.distro.reset();

  // Disabled since: refused, it takes away what the earlier one has left.
  rig.start();
  rig.agent.take<handover::Hello>();
  rig.agent.send(handover::Refused{"disabled", true});
  REQUIRE(rig.agent.until([&] { return rig.ended.has_value(); }));
  CHECK(*rig.ended);
  CHECK(rig.tree.snapshot() == rig.before);
}

TEST_CASE("distro/integrated_distro: a lock on the accounts delays, and a removal waits for it") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.tree.write("etc/.pwd.lock", "");
  rig.before = rig.tree.snapshot();
  const std::string path = rig.tree.path / "etc/.pwd.lock";
  const auto lock = [&] {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    REQUIRE(::fcntl(fd.get(), F_OFD_SETLK, &whole) == 0);
    return fd;
  };
  auto locked = lock();
  rig.agent.listen();
  rig.start();
  rig.welcome();
  rig.agent.take<handover::Socket>();
  CHECK(rig.tree.read("etc/group").find("docker") == std::string::npos);
  locked.reset();
  REQUIRE(rig.agent.until(
      [&] { return rig.tree.read("etc/group").find("docker:x:999:me") != std::string::npos; }));
  struct stat info {};
  REQUIRE(rig.agent.until([&] {
    return ::stat((rig.tree.path / "run/docker.sock").c_str(), &info) == 0 && info.st_gid == 999;
  }));

  locked = lock();
  rig.agent.send(handover::Remove{});
  rig.agent.settle();
  CHECK_FALSE(rig.ended.has_value());
  locked.reset();
  REQUIRE(rig.agent.until([&] { return rig.ended.has_value(); }));
  CHECK(*rig.ended);
  CHECK(rig.tree.snapshot() == rig.before);
}

TEST_CASE("distro/integrated_distro: with a manifest that can't be read files are shared only") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.tree.write("var/lib/causeway/integration.json", "garbage");
  rig.before = rig.tree.snapshot();
  rig.agent.listen();
  rig.start();
  rig.welcome();
  const auto report = std::get<handover::Report>(rig.agent.take<handover::Report>().body).report;
  REQUIRE(report.items.size() == 1);
  CHECK(report.items[0].what == "manifest");
  rig.agent.send(handover::Tools{}, rig.tools());
  rig.agent.send(handover::Remove{});
  const auto left = std::get<handover::Report>(rig.agent.take<handover::Report>().body).report;
  CHECK(left.items.at(0).what == "undo");
  rig.agent.take<handover::Removed>();
  REQUIRE(rig.agent.until([&] { return rig.ended.has_value(); }));
  CHECK_FALSE(*rig.ended);
  CHECK(rig.tree.snapshot() == rig.before);
}

TEST_CASE("distro/integrated_distro: where shells may not look for the tools, that is said") {
  if (!own_mount_namespace()) return;
  for (const bool nix : {false, true}) {
    CAPTURE(nix);
    Rig rig;
    if (nix) rig.tree.write("run/current-system/sw/bin/ls", "");
    rig.agent.listen();
    rig.start();
    rig.welcome();
    rig.agent.send(handover::Tools{}, rig.tools());
    bool said = false;
    rig.agent.take<handover::Report>([&](const handover::Report& report) {
      for (const auto& note : report.report.notes)
        said = said || note.find("may not look in /usr/local/bin") != std::string::npos;
      for (const auto& item : report.report.items)
        if (item.what == "link") return true;
      return false;
    });
    CHECK(said == nix);
  }
}

TEST_CASE("distro/integrated_distro: a user who is made later gets in") {
  if (!own_mount_namespace()) return;
  Rig rig;
  const std::string root_alone = "root:x:0:0:root:/root:/bin/sh\n";
  rig.tree.write("etc/passwd", root_alone);
  std::string user;
  std::string expected = "new";
  SUBCASE("with the number that Windows says") {
    user = "1000";
    rig.tree.write("etc/wsl.conf", "");
  }
  SUBCASE("with the first number, Windows saying none") {}
  SUBCASE("the one whom wsl.conf names, before whom Windows says") {
    user = "1000";
    expected = "other";
  }
  SUBCASE("wsl.conf is a link, as on NixOS") {
    expected = "other";
    rig.tree.write("nix/store/static/wsl.conf", "");
    fs::create_symlink("/nix/store/static", rig.tree.path / "etc/static");
    fs::create_symlink("/etc/static/wsl.conf", rig.tree.path / "etc/wsl.conf");
  }
  rig.before = rig.tree.snapshot();
  rig.agent.listen();
  rig.start(user);
  rig.welcome();
  rig.agent.take<handover::Report>([](const handover::Report& report) {
    for (const auto& note : report.report.notes)
      if (note.starts_with("the distro's default user isn't in /etc/passwd")) return true;
    return false;
  });
  CHECK(rig.tree.read("etc/group").ends_with("docker:x:999:\n"));

  // useradd(8) makes the home last.
  rig.replace("etc/passwd", root_alone + "new:x:1000:1000::/home/new:/bin/sh\n" +
                                "other:x:1001:1001::/home/other:/bin/sh\n");
  if (expected == "other")
    rig.tree.write(fs::exists(rig.tree.path / "nix") ? "nix/store/static/wsl.conf" : "etc/wsl.conf",
                   "[user]\ndefault = other\n");
  if (fs::exists(rig.tree.path / "nix")) {
    fs::create_symlink("/nix/store/static", rig.tree.path / "etc/.static.new");
    fs::rename(rig.tree.path / "etc/.static.new", rig.tree.path / "etc/static");
  }
  rig.wait_item("added member " + expected);
  CHECK(rig.tree.read("etc/group").find("docker:x:999:") != std::string::npos);
  const auto uid = expected == "new" ? 1000 : 1001;
  fs::create_directories(rig.tree.path / "home/.made");
  REQUIRE(::chown((rig.tree.path / "home/.made").c_str(), uid, uid) == 0);
  fs::rename(rig.tree.path / "home/.made", rig.tree.path / "home" / expected);
  rig.wait_item("added context /home/" + expected);

  rig.agent.send(handover::Remove{});
  REQUIRE(rig.agent.until([&] { return rig.ended.has_value(); }));
  CHECK(rig.tree.read("etc/group").find("docker") == std::string::npos);
  CHECK_FALSE(rig.tree.exists("home/" + expected + "/.docker"));
}

TEST_CASE("distro/integrated_distro: a group that is removed comes back, or is told as missing") {
  if (!own_mount_namespace()) return;
  Rig rig;
  rig.agent.listen();
  rig.start();
  rig.welcome();
  rig.wait_item("added member me");
  const std::string without = "root:x:0:\nusers:x:100:\nme:x:1000:\n";
  REQUIRE(rig.tree.read("etc/group") == without + "docker:x:999:me\n");
  // As NixOS' activation does: the file anew, without what it doesn't know.
  rig.replace("etc/group", without);
  REQUIRE(
      rig.agent.until([&] { return rig.tree.read("etc/group") == without + "docker:x:999:me\n"; }));
  // At once again: it isn't fought over, and nothing is said to be there that isn't.
  rig.agent.got.clear();
  rig.replace("etc/group", without);
  rig.wait_item("failed group");
  CHECK(rig.tree.read("etc/group") == without);
  rig.agent.got.clear();
  REQUIRE(
      rig.agent.until([&] { return rig.tree.read("etc/group") == without + "docker:x:999:me\n"; }));
  rig.wait_item("added group");
}
