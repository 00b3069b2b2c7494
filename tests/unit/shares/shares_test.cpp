#include "shares/shares.h"

#include <doctest/doctest.h>

#include <optional>

#include "fd_store/sockets.h"
#include "rig.h"
#include "shares/known_distros.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;

namespace {
const auto needs_mounts = doctest::skip(!can_mount());
}  // namespace

TEST_CASE("shares/shares: the places are made, and the API sockets are there at once" *
          needs_mounts) {
  Rig rig;
  write_file(rig.sandbox.folder("data/causeway") + "/distros.json",
             R"({"Ubuntu": {"enabled": true}, "Old": {"enabled": false}})");
  rig.agent();
  CHECK(rig.notes().empty());
  CHECK(mount_at("/mnt/distro").options.starts_with("ro,"));
  CHECK(mount_at("/mnt/host").options.starts_with("ro,"));
  CHECK(content(rig.wsl + "/docker-desktop/bin/causeway") == "the program");
  CHECK(mounts_below(rig.wsl) == ".");
  for (const char* name : {"windows", "distro-Ubuntu", "distro-Old"}) {
    CAPTURE(name);
    const auto* listener = rig.listener(rig.sandbox / "run/api/" + name + ".sock");
    REQUIRE(listener != nullptr);
    struct stat info {};
    REQUIRE(::stat(listener->path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
  CHECK(rig.listener(rig.sandbox / "run/api/windows.sock")->identity.kind ==
        paths::Identity::Kind::windows);
  CHECK(rig.listener(rig.sandbox / "run/api/distro-Ubuntu.sock")->identity.name == "Ubuntu");
  CHECK(rig.state("Ubuntu") == "stopped");
  CHECK(rig.state("Old") == "disabled");

  // Bound once in a boot: the next agent listens on the same sockets.
  const auto before = inode(rig.listener(rig.sandbox / "run/api/windows.sock")->fd.get());
  rig.agent_dies();
  rig.agent();
  CHECK(rig.listeners.size() == 3);
  CHECK(inode(rig.listener(rig.sandbox / "run/api/windows.sock")->fd.get()) == before);
}

TEST_CASE("shares/shares: a share is visible when it is complete, and not before" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.connect();
  helper->hello("Ubuntu", first);
  helper->mount(ubuntu, "/");
  helper->mount(ubuntu, "/home");
  helper->say(handover::Socket{"/run/docker.sock"}, listening(rig.sandbox / "docker.sock"));
  REQUIRE(rig.until([&] { return helper->heard<handover::Tools>() != nullptr; }));
  rig.settle();
  CHECK_FALSE(exists(rig.share("Ubuntu")));
  CHECK(rig.state("Ubuntu") == "waiting");
  CHECK(rig.attached.empty());
  CHECK(rig.listener("/run/docker.sock") == nullptr);

  helper->say(handover::MountsDone{});
  REQUIRE(rig.until([&] { return !rig.attached.empty(); }));
  CHECK(rig.attached == std::vector<std::string>{"Ubuntu"});
  CHECK(content(rig.share("Ubuntu/home/who")) == "home");
  CHECK(exists(rig.share("Ubuntu/proc/self")));
  CHECK(exists(rig.share("Ubuntu/mnt/wsl/docker-desktop")));
  CHECK(mounts_below(rig.sandbox / "run/staging") == ".");
  CHECK(rig.state("Ubuntu") == "attached");
  const auto status = rig.status("Ubuntu");
  CHECK(status.helper);
  CHECK(status.mounts == 2);
  CHECK(status.socket == "/run/docker.sock");
  REQUIRE(rig.listener("/run/docker.sock") != nullptr);
  CHECK(rig.listener("/run/docker.sock")->identity.name == "Ubuntu");
  CHECK(rig.listener(rig.sandbox / "run/api/distro-Ubuntu.sock") != nullptr);
  CHECK(rig.shares->path_context().distros.at("Ubuntu").attached);
  CHECK(rig.shares->path_context().distros.at("Ubuntu").mounts.drives.size() == 1);
  CHECK(rig.store.used("d.") == 3);
  CHECK(content(rig.sandbox / "data/causeway/distros.json").find("Ubuntu") != std::string::npos);
  // The distro's own mounts are as they were.
  CHECK(mounts_below(ubuntu.path("/")) == ". /home");

  SUBCASE("the tools are read-only") {
    for (const auto& message : helper->got) {
      if (!std::holds_alternative<handover::Tools>(message.body)) continue;
      CHECK(::openat(message.fd.get(), "bin/docker", O_RDONLY | O_CLOEXEC) >= 0);
      CHECK(::openat(message.fd.get(), "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
      CHECK(errno == EROFS);
    }
  }
  SUBCASE("mounts come and go") {
    Distro other(rig.sandbox / "private", false);
    other.add("/disk", "disk");
    REQUIRE(::mkdir((ubuntu.path("/") + "/disk").c_str(), 0755) == 0);
    helper->mount(other, "/disk");
    REQUIRE(rig.until([&] { return exists(rig.share("Ubuntu/disk/who")); }));
    CHECK(rig.status("Ubuntu").mounts == 3);
    helper->say(handover::Unmounted{"/disk"});
    REQUIRE(rig.until([&] { return !exists(rig.share("Ubuntu/disk/who")); }));
    CHECK(rig.status("Ubuntu").mounts == 2);
  }
  SUBCASE("another docker.sock replaces the first, the same one doesn't") {
    const auto key = rig.listener("/run/docker.sock")->key;
    const int same = ::fcntl(rig.listener("/run/docker.sock")->fd.get(), F_DUPFD_CLOEXEC, 3);
    helper->say(handover::Socket{"/run/docker.sock"}, UniqueFd(same));
    helper->say(handover::TableChanged{{"/wsl", {}}});
    REQUIRE(rig.until(
        [&] { return rig.shares->path_context().distros.at("Ubuntu").mounts.wsl == "/wsl"; }));
    CHECK(rig.gone.empty());
    helper->say(handover::Socket{"/run/docker.sock"}, listening(rig.sandbox / "docker2.sock"));
    REQUIRE(rig.until([&] { return !rig.gone.empty(); }));
    CHECK(rig.gone.front() == key);
    CHECK(rig.listener("/run/docker.sock") != nullptr);
    CHECK(rig.store.used("d.") == 3);
  }
  SUBCASE("what doesn't listen is no docker.sock") {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    const UniqueFd other(pair[1]);
    helper->say(handover::Socket{"/run/docker.sock"}, UniqueFd(pair[0]));
    helper->say(handover::Report{{{}, {"open a new shell"}}});
    REQUIRE(rig.until([&] { return rig.status("Ubuntu").report.has_value(); }));
    CHECK(rig.gone.empty());
    CHECK(rig.status("Ubuntu").report->notes.front() == "open a new shell");
  }
}

TEST_CASE("shares/shares: the end of PID 1 detaches, when the owner is done" * needs_mounts) {
  Rig rig;
  SUBCASE("the owner says so") {}
  SUBCASE("the owner never does") { rig.detach_ms = 50; }
  rig.agent();
  Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  helper->say(handover::Socket{"/run/docker.sock"}, listening(rig.sandbox / "docker.sock"));
  REQUIRE(rig.until([&] { return rig.listener("/run/docker.sock") != nullptr; }));
  first.end();
  REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
  CHECK(rig.detaching.front().first == "Ubuntu");
  CHECK(rig.listener("/run/docker.sock") == nullptr);
  CHECK_FALSE(rig.shares->attached("Ubuntu"));
  CHECK_FALSE(rig.shares->path_context().distros.at("Ubuntu").attached);
  if (rig.detach_ms > 1000) {
    rig.settle();
    CHECK(exists(rig.share("Ubuntu/who")));
    rig.detaching.front().second();
  }
  REQUIRE(rig.until([&] { return !exists(rig.share("Ubuntu")); }));
  CHECK(mounts_below("/mnt/distro") == ".");
  CHECK(rig.store.used("d.") == 1);  // the API socket stays
  CHECK(rig.state("Ubuntu") == "stopped");
  CHECK(content(ubuntu.path("/who")) == "root");
  // Called late, it does nothing.
  rig.detaching.front().second();
  rig.settle();
}

// A file system that is away may take for ever to end: the last reference is another process's.
TEST_CASE("shares/shares: what ends with a share is a walker's to let go" * needs_mounts) {
  causeway::test::ScriptedWalks walks;
  Rig rig;
  rig.start_walk = [&](int socket) { return walks.start(socket); };
  rig.agent();
  Process first;
  auto ubuntu = std::make_unique<Distro>(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, *ubuntu);
  const UniqueFd share(::open(rig.share("Ubuntu").c_str(), O_PATH | O_CLOEXEC));
  first.end();
  REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
  rig.detaching.front().second();
  std::string found;
  REQUIRE(rig.until([&] {
    for (std::size_t i = 0; i < walks.ends.size(); ++i) {
      const auto told = walks.heard(i);
      if (told.kind != walk::Kind::drop) continue;
      const std::string tree = "/proc/self/fd/" + std::to_string(told.fd.get());
      found += content(tree + "/who") + content(tree + "/home/who");
    }
    return !found.empty();
  }));
  CHECK(found == "roothome");
  CHECK_FALSE(exists(rig.share("Ubuntu")));
}

TEST_CASE("shares/shares: the helper's end changes nothing at its share" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  Distro ubuntu(rig.sandbox / "ubuntu", false);
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  helper.reset();
  REQUIRE(rig.until([&] { return !rig.status("Ubuntu").helper; }));
  CHECK(rig.shares->attached("Ubuntu"));
  CHECK(content(rig.share("Ubuntu/home/who")) == "home");
  CHECK(rig.detaching.empty());

  // The next one makes good what changed meanwhile.
  ubuntu.remove("/home");
  ubuntu.add("/opt", "opt");
  helper = rig.connect();
  helper->hello("Ubuntu", first);
  helper->mount(ubuntu, "/");
  helper->mount(ubuntu, "/opt");
  rig.settle();
  CHECK(content(rig.share("Ubuntu/home/who")) == "home");
  helper->say(handover::MountsDone{});
  REQUIRE(rig.until([&] { return exists(rig.share("Ubuntu/opt/who")); }));
  CHECK_FALSE(exists(rig.share("Ubuntu/home/who")));
  CHECK(rig.attached.size() == 1);
}

TEST_CASE("shares/shares: a share whose helper ends on the way is dropped" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.connect();
  helper->hello("Ubuntu", first);
  helper->mount(ubuntu, "/");
  REQUIRE(rig.until([&] { return mounts_below(rig.sandbox / "run/staging") != "."; }));
  helper.reset();
  REQUIRE(rig.until([&] { return rig.state("Ubuntu") == "stopped"; }));
  CHECK(mounts_below(rig.sandbox / "run/staging") == ".");
  CHECK_FALSE(exists(rig.share("Ubuntu")));
}

TEST_CASE("shares/shares: who is refused, and why" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Process second;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  const Distro other(rig.sandbox / "other");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  auto stranger = rig.connect();
  std::string reason;
  SUBCASE("another distro of the same name") {
    stranger->share("Ubuntu", second, other);
    reason = "another distro of that name";
  }
  SUBCASE("another version") {
    stranger->hello("Debian", second, 2);
    reason = "version 2";
  }
  SUBCASE("the engine's own distro") {
    stranger->hello("docker-desktop", second);
    reason = "no distro is called";
  }
  SUBCASE("a distro that has ended") {
    Process ended;
    const auto pidfd = ended.pidfd();
    ended.end();
    handover::Hello hello;
    hello.distro = "Debian";
    hello.table.wsl = "/mnt/wsl";
    stranger->say(hello, UniqueFd(::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 3)));
    reason = "has ended";
  }
  SUBCASE("something that is no pidfd") {
    handover::Hello hello;
    hello.distro = "Debian";
    hello.table.wsl = "/mnt/wsl";
    stranger->say(hello, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    reason = "no pidfd";
  }
  REQUIRE(rig.until([&] { return !stranger->closed.empty(); }));
  REQUIRE(stranger->heard<handover::Refused>() != nullptr);
  CHECK(stranger->heard<handover::Refused>()->version == handover::kVersion);
  CAPTURE(stranger->heard<handover::Refused>()->reason);
  CHECK(stranger->heard<handover::Refused>()->reason.find(reason) != std::string::npos);
  CHECK_FALSE(stranger->heard<handover::Refused>()->remove);
  CHECK(rig.shares->attached("Ubuntu"));
  CHECK(content(rig.share("Ubuntu/who")) == "root");
  CHECK_FALSE(exists(rig.share("Debian")));
  CHECK(helper->closed.empty());
  if (rig.status("Debian").name == "Debian") CHECK(rig.state("Debian") == "refused");
}

TEST_CASE("shares/shares: a distro that is back waits for its old share to go" * needs_mounts) {
  Rig rig;
  rig.agent();
  auto first = std::make_unique<Process>();
  const Distro ubuntu(rig.sandbox / "ubuntu");
  const Distro again(rig.sandbox / "again");
  write_file(again.path("/who"), "the second life");
  auto helper = rig.integrate("Ubuntu", *first, ubuntu);
  first->end();
  helper.reset();
  REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
  const Process second;
  auto next = rig.connect();
  next->share("Ubuntu", second, again);
  REQUIRE(rig.until([&] { return next->heard<handover::Tools>() != nullptr; }));
  rig.settle();
  CHECK_FALSE(rig.shares->attached("Ubuntu"));
  CHECK(content(rig.share("Ubuntu/who")) == "root");
  rig.detaching.front().second();
  REQUIRE(rig.until([&] { return rig.attached.size() == 2; }));
  CHECK(content(rig.share("Ubuntu/who")) == "the second life");
}

TEST_CASE("shares/shares: the next agent finds everything again" * needs_mounts) {
  Rig rig;
  rig.agent();
  Process first;
  Distro ubuntu(rig.sandbox / "ubuntu", false);
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  helper->say(handover::Socket{"/run/docker.sock"}, listening(rig.sandbox / "docker.sock"));
  REQUIRE(rig.until([&] { return rig.listener("/run/docker.sock") != nullptr; }));
  const auto socket = inode(rig.listener("/run/docker.sock")->fd.get());
  const auto mounts = mounts_below("/mnt");
  rig.agent_dies();

  SUBCASE("a share, at once, without its helper") {
    rig.agent();
    CHECK(rig.shares->attached("Ubuntu"));
    CHECK(rig.shares->path_context().distros.at("Ubuntu").attached);
    CHECK(rig.shares->path_context().distros.at("Ubuntu").mounts.wsl == "/mnt/wsl");
    REQUIRE(rig.listener("/run/docker.sock") != nullptr);
    CHECK(inode(rig.listener("/run/docker.sock")->fd.get()) == socket);
    CHECK(mounts_below("/mnt") == mounts);
    // Its helper comes back and says the same.
    auto next = rig.connect();
    next->share("Ubuntu", first, ubuntu);
    REQUIRE(rig.until([&] { return next->heard<handover::Tools>() != nullptr; }));
    rig.settle();
    CHECK(mounts_below("/mnt") == mounts);
    CHECK(rig.attached.empty());
    CHECK(rig.detaching.empty());
    first.end();
    CHECK(rig.until([&] { return !rig.detaching.empty(); }));
  }
  SUBCASE("a share whose distro has ended meanwhile") {
    first.end();
    rig.agent();
    CHECK_FALSE(rig.shares->attached("Ubuntu"));
    REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
    rig.detaching.front().second();
    CHECK(rig.until([&] { return mounts_below("/mnt/distro") == "."; }));
    CHECK_FALSE(exists(rig.share("Ubuntu")));
    CHECK(rig.store.used("d.") == 1);
  }
  SUBCASE("a share that was disabled, and still there") {
    write_file(rig.sandbox / "data/causeway/distros.json", R"({"Ubuntu": {"enabled": false}})");
    rig.agent();
    CHECK(rig.until([&] { return !rig.detaching.empty(); }));
    CHECK(rig.state("Ubuntu") == "disabled");
  }
  SUBCASE("a mount of its, when the distro has it no more") {
    ubuntu.remove("/home");
    rig.agent();
    auto next = rig.connect();
    next->hello("Ubuntu", first);
    next->mount(ubuntu, "/");
    next->say(handover::MountsDone{});
    CHECK(rig.until([&] { return !exists(rig.share("Ubuntu/home/who")); }));
    CHECK(rig.status("Ubuntu").mounts == 1);
  }
}

// Each as kill -9 leaves it between two lines.
TEST_CASE("shares/shares: half done things of a killed agent" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  const auto place = mounts::Placeholder::at("/mnt/distro");
  const std::string record = rig.sandbox / "run/shares.json";
  const std::string good =
      R"({"distros":[{"name":"Ubuntu","socket":"","table":{"wsl":"","drives":[]},"mounts":[]}]})";
  REQUIRE(place);
  bool detaches = false;
  SUBCASE("the record, and no more") { write_file(record, good); }
  SUBCASE("the record and the pidfd") {
    write_file(record, good);
    REQUIRE(rig.client.put(SlotNames("Ubuntu").pid, first.pidfd().get()));
  }
  SUBCASE("a directory without its mount") {
    const auto tree = mounts::clone_mount(ubuntu.path("/"), false);
    REQUIRE(place->attach(tree->get(), "Ubuntu"));
    REQUIRE(::umount2(rig.share("Ubuntu").c_str(), MNT_DETACH) == 0);
    CHECK(exists(rig.share("Ubuntu")));
    REQUIRE(rig.client.put(SlotNames("Ubuntu").pid, first.pidfd().get()));
  }
  SUBCASE("a mount whose distro nobody watches") {
    const auto tree = mounts::clone_mount(ubuntu.path("/"), false);
    REQUIRE(place->attach(tree->get(), "Ubuntu"));
    detaches = true;
  }
  SUBCASE("a share on the way") {
    auto helper = rig.connect();
    helper->hello("Ubuntu", first);
    helper->mount(ubuntu, "/");
    REQUIRE(rig.until([&] { return mounts_below(rig.sandbox / "run/staging") != "."; }));
  }
  SUBCASE("descriptors of a distro that nobody knows") {
    REQUIRE(rig.client.put(SlotNames("Gone").pid, first.pidfd().get()));
    REQUIRE(rig.client.put(SlotNames("Gone").api, first.pidfd().get()));
  }
  SUBCASE("a record that can't be read") { write_file(record, "{"); }
  rig.agent_dies();
  rig.agent();
  CHECK_FALSE(rig.shares->attached("Ubuntu"));
  if (detaches) {
    REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
    rig.detaching.front().second();
    REQUIRE(rig.until([&] { return !exists(rig.share("Ubuntu")); }));
  }
  CHECK_FALSE(exists(rig.share("Ubuntu")));
  CHECK(mounts_below("/mnt/distro") == ".");
  CHECK(rig.store.used("d.") <= 1);
  if (rig.state("Ubuntu") != "stopped") CHECK(rig.status("Ubuntu").name.empty());
  // And it works.
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(content(rig.share("Ubuntu/home/who")) == "home");
}

TEST_CASE("shares/shares: disabling undoes, enabling asks again" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  CHECK_FALSE(rig.shares->disable("Debian"));
  CHECK_FALSE(rig.shares->enable("Debian"));
  REQUIRE(rig.shares->disable("Ubuntu"));
  CHECK(rig.state("Ubuntu") == "disabled");
  CHECK_FALSE(rig.shares->attached("Ubuntu"));
  REQUIRE(rig.until([&] { return helper->heard<handover::Remove>() && !rig.detaching.empty(); }));
  rig.detaching.front().second();
  helper->say(handover::Removed{});
  REQUIRE(rig.until([&] { return !helper->closed.empty() && !exists(rig.share("Ubuntu")); }));
  CHECK(rig.state("Ubuntu") == "disabled");

  auto again = rig.connect();
  again->share("Ubuntu", first, ubuntu);
  REQUIRE(rig.until([&] { return !again->closed.empty(); }));
  REQUIRE(again->heard<handover::Refused>() != nullptr);
  CHECK(again->heard<handover::Refused>()->remove);
  rig.shares->request("Ubuntu");
  rig.settle();
  CHECK(rig.wanted.empty());

  // The next agent knows it too.
  rig.agent_dies();
  rig.agent();
  CHECK(rig.state("Ubuntu") == "disabled");
  REQUIRE(rig.shares->enable("Ubuntu"));
  REQUIRE(rig.until([&] { return !rig.wanted.empty(); }));
  CHECK(rig.state("Ubuntu") == "waiting");
  auto last = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(rig.state("Ubuntu") == "attached");
}

TEST_CASE("shares/shares: asking for a distro, and waiting for it" * needs_mounts) {
  Rig rig;
  write_file(rig.sandbox.folder("data/causeway") + "/distros.json", R"({"Ubuntu": {}})");
  rig.agent();
  std::vector<bool> answers;
  const auto record = [&](bool there) { answers.push_back(there); };
  rig.shares->request("Ubuntu");
  rig.shares->request("Unknown");
  rig.shares->when_attached("Ubuntu", 1, record);
  rig.shares->when_attached("Ubuntu", 60'000, record);
  CHECK(answers.empty());
  REQUIRE(rig.until([&] { return !answers.empty(); }));
  CHECK(answers == std::vector<bool>{false});
  CHECK(rig.wanted == std::vector<std::string>{"Ubuntu"});
  CHECK(rig.shares->wanted() == rig.wanted);
  CHECK(rig.state("Ubuntu") == "waiting");
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  REQUIRE(rig.until([&] { return answers.size() == 2; }));
  CHECK(answers.back());
  rig.shares->when_attached("Ubuntu", 0, record);
  CHECK(answers.size() == 2);  // never from within
  REQUIRE(rig.until([&] { return answers.size() == 3; }));
  CHECK(answers.back());
  CHECK(rig.shares->wanted().empty());
}

TEST_CASE(
    "shares/shares: a distro that Windows doesn't start: who waits is told, and why is shown" *
    needs_mounts) {
  Rig rig;
  write_file(rig.sandbox.folder("data/causeway") + "/distros.json", R"({"Ubuntu": {}})");
  rig.agent();
  std::vector<bool> answers;
  rig.shares->not_started("Ubuntu", "nobody asked");
  CHECK(rig.shares->distros().at(0).reason.empty());
  rig.shares->request("Ubuntu");
  rig.shares->when_attached("Ubuntu", 600'000, [&](bool there) { answers.push_back(there); });
  rig.settle();
  rig.shares->not_started("Ubuntu", "it is not enabled");
  CHECK(answers.empty());  // never from within
  REQUIRE(rig.until([&] { return !answers.empty(); }));
  CHECK(answers == std::vector<bool>{false});
  CHECK(rig.state("Ubuntu") == "stopped");
  CHECK(rig.shares->distros().at(0).reason == "Windows did not start it: it is not enabled");
  CHECK(rig.shares->wanted().empty());
  // Asked for again, that is forgotten.
  rig.shares->request("Ubuntu");
  CHECK(rig.state("Ubuntu") == "waiting");
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(rig.state("Ubuntu") == "attached");
  CHECK(rig.shares->distros().at(0).reason.empty());
}

TEST_CASE("shares/shares: paths are resolved by the helper, or here without one" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  REQUIRE(::symlink("/home", (ubuntu.path("/link")).c_str()) == 0);
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  std::vector<std::string> answers;
  const auto record = [&](std::vector<Result<std::string>> results) {
    for (auto& result : results) answers.push_back(result ? *result : result.error().message);
  };
  SUBCASE("by the helper") {
    rig.shares->resolve("Ubuntu", {"/a", "/b"}, record);
    REQUIRE(rig.until([&] { return helper->heard<handover::Resolve>() != nullptr; }));
    const auto* asked = helper->heard<handover::Resolve>();
    CHECK(asked->paths == std::vector<std::string>{"/a", "/b"});
    helper->say(handover::Resolved{asked->ticket, {{"/real/a", ""}}});
    rig.settle();
    CHECK(answers.empty());
    helper->say(handover::Resolved{asked->ticket, {{"", "no such thing"}}});
    REQUIRE(rig.until([&] { return answers.size() == 2; }));
    CHECK(answers == std::vector<std::string>{"/real/a", "no such thing"});
  }
  SUBCASE("the helper goes before it has answered") {
    rig.shares->resolve("Ubuntu", {"/link/who"}, record);
    REQUIRE(rig.until([&] { return helper->heard<handover::Resolve>() != nullptr; }));
    helper.reset();
    REQUIRE(rig.until([&] { return !answers.empty(); }));
    CHECK(answers.front() == "/home/who");
  }
  SUBCASE("without one") {
    helper.reset();
    REQUIRE(rig.until([&] { return !rig.status("Ubuntu").helper; }));
    rig.shares->resolve("Ubuntu", {"/link/who", "/link/new"}, record);
    CHECK(answers.empty());
    REQUIRE(rig.until([&] { return !answers.empty(); }));
    CHECK(answers == std::vector<std::string>{"/home/who", "/home/new"});
  }
  SUBCASE("a path that no kernel takes") {
    rig.shares->resolve("Ubuntu", {"/link", "/" + std::string(5000, 'x')}, record);
    REQUIRE(rig.until([&] { return answers.size() == 2; }));
    CHECK(answers[0] == "/home");
    CHECK_FALSE(answers[1].starts_with("/"));
  }
  SUBCASE("no share") {
    rig.shares->resolve("Debian", {"/x"}, record);
    REQUIRE(rig.until([&] { return !answers.empty(); }));
    CHECK(answers.front().find("Debian isn't running") != std::string::npos);
  }
}

TEST_CASE("shares/shares: drives follow the engine's own mounts" * needs_mounts) {
  Rig rig;
  // Beside <wsl> a mount is the drive that it says it is; C:\Users is only a part of one.
  const auto drive = [&](const char* point, const char* source) {
    make_tmpfs(rig.sandbox / point, "mode=755", source);
  };
  drive("users", "C:\\Users");
  drive("c", "C:\\");
  write_file(rig.sandbox / "c/who", "C:");
  rig.agent();
  CHECK(content("/mnt/host/c/who") == "C:");
  CHECK(rig.shares->path_context().drives == std::set<char>{'c'});
  drive("d", "D:\\");
  REQUIRE(rig.until([&] { return rig.shares->path_context().drives.contains('d'); }));
  REQUIRE(::umount2((rig.sandbox / "c").c_str(), 0) == 0);
  REQUIRE(rig.until([&] { return !rig.shares->path_context().drives.contains('c'); }));
  CHECK_FALSE(exists("/mnt/host/c"));
  // Mounted anew, it is another one.
  REQUIRE(::umount2((rig.sandbox / "d").c_str(), 0) == 0);
  drive("d", "D:\\");
  write_file(rig.sandbox / "d/who", "another D:");
  REQUIRE(rig.until([&] { return exists("/mnt/host/d/who"); }));
  rig.agent_dies();
  rig.agent();
  CHECK(rig.shares->path_context().drives == std::set<char>{'d'});
  CHECK(mounts_below("/mnt/host") == ". /d");
}

TEST_CASE("shares/shares: a list of distros that can't be read is left alone" * needs_mounts) {
  Rig rig;
  const std::string file = rig.sandbox.folder("data/causeway") + "/distros.json";
  write_file(file, "{ oops");
  rig.agent();
  CHECK(rig.notes().find("distros.json") != std::string::npos);
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(content(file) == "{ oops");
}

TEST_CASE("shares/shares: a distro is forgotten, with what is its own and nothing else" *
          needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Process second;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  const Distro debian(rig.sandbox / "debian");
  const std::string file = rig.sandbox / "data/causeway/distros.json";
  const std::string socket = rig.sandbox / "run/api/distro-Ubuntu.sock";
  auto helper = rig.integrate("Ubuntu", first, ubuntu);
  const auto other = rig.integrate("Debian", second, debian);
  const auto others_mounts = rig.status("Debian").mounts;

  // Not while its helper is there: what to do is said, nothing is done.
  const auto refused = rig.shares->forget("Ubuntu");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EBUSY);
  CHECK(refused.error().message.find("`causeway distro disable Ubuntu` first") !=
        std::string::npos);
  CHECK(rig.shares->attached("Ubuntu"));
  CHECK(exists(socket));

  helper.reset();
  REQUIRE(rig.until([&] { return !rig.status("Ubuntu").helper; }));
  SUBCASE("with its share") {}
  SUBCASE("disabled") { REQUIRE(rig.shares->disable("Ubuntu")); }
  REQUIRE(rig.shares->forget("ubuntu"));
  CHECK_FALSE(rig.shares->known("Ubuntu"));
  CHECK(rig.status("Ubuntu").name.empty());
  CHECK_FALSE(rig.shares->path_context().distros.contains("Ubuntu"));
  CHECK(content(file).find("Ubuntu") == std::string::npos);
  CHECK_FALSE(exists(socket));
  CHECK(rig.listener(socket) == nullptr);
  REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
  rig.detaching.front().second();
  REQUIRE(rig.until([&] { return !exists(rig.share("Ubuntu")); }));
  CHECK(content(rig.sandbox / "run/shares.json").find("Ubuntu") == std::string::npos);
  CHECK(rig.shares->forget("Ubuntu").error().code == ENOENT);

  // Debian has all that it had.
  CHECK(rig.state("Debian") == "attached");
  CHECK(rig.status("Debian").mounts == others_mounts);
  CHECK(content(rig.share("Debian/home/who")) == "home");
  CHECK(content(file).find("Debian") != std::string::npos);
  CHECK(rig.listener(rig.sandbox / "run/api/distro-Debian.sock") != nullptr);
  CHECK(rig.store.used("d.") == 2);

  // Nor does the next agent know it.
  rig.agent_dies();
  rig.agent();
  CHECK(rig.status("Ubuntu").name.empty());
  CHECK(rig.listener(socket) == nullptr);
  CHECK(rig.shares->attached("Debian"));
  // dockerd makes a directory for a container that had the socket mounted.
  REQUIRE(::mkdir(socket.c_str(), 0755) == 0);
  const auto again = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(rig.listener(socket) != nullptr);
  CHECK(rig.notes().empty());
}

TEST_CASE("shares/shares: a name that a helper says is remembered by nobody" * needs_mounts) {
  Rig rig;
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.connect();
  helper->hello("Liar", first);
  helper->say(handover::Report{{{}, {"a note"}}});
  REQUIRE(rig.until([&] { return rig.status("Liar").report.has_value(); }));
  CHECK(rig.state("Liar") == "waiting");
  CHECK_FALSE(exists(rig.sandbox / "run/api/distro-Liar.sock"));
  helper.reset();
  REQUIRE(rig.until([&] { return rig.shares->distros().empty(); }));
  CHECK_FALSE(exists(rig.sandbox / "data/causeway/distros.json"));
  CHECK(rig.listeners.size() == 1);
  CHECK_FALSE(rig.status("Liar").report.has_value());
  // Refusals are shown, but not those of any number of names.
  for (int i = 0; i < 100; ++i) {
    auto stranger = rig.connect();
    stranger->hello("Liar-" + std::to_string(i), first, 99);
    REQUIRE(rig.until([&] { return !stranger->closed.empty(); }));
  }
  CHECK(rig.shares->distros().size() == 32);
  CHECK(rig.notes().find("too many unknown distros") != std::string::npos);
  CHECK(rig.listeners.size() == 1);
  // And one that is shown can be taken out of the list.
  REQUIRE(rig.shares->forget("Liar-0"));
  CHECK(rig.shares->distros().size() == 31);
  const auto real = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(rig.state("Ubuntu") == "attached");
}

TEST_CASE("shares/shares: no more distros are known than can be shown" * needs_mounts) {
  Rig rig;
  KnownDistros::Enabled many;
  for (std::size_t i = 0; i < KnownDistros::kMost; ++i) many.emplace("d" + std::to_string(i), true);
  write_file(rig.sandbox.folder("data/causeway") + "/distros.json", KnownDistros::to_json(many));
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  auto helper = rig.connect();
  helper->share("Ubuntu", first, ubuntu);
  REQUIRE(rig.until([&] { return !helper->closed.empty(); }));
  REQUIRE(helper->heard<handover::Refused>() != nullptr);
  CHECK(helper->heard<handover::Refused>()->reason ==
        "256 distros are known; `causeway distro forget` makes room");
  CHECK(rig.state("Ubuntu") == "refused");
  REQUIRE(rig.shares->forget("d0"));
  const auto again = rig.integrate("Ubuntu", first, ubuntu);
  const auto known = rig.integrate("d1", Process(), ubuntu);
}

// wsl.exe takes them for one name.
TEST_CASE("shares/shares: ubuntu is Ubuntu" * needs_mounts) {
  Rig rig;
  rig.agent();
  auto first = std::make_unique<Process>();
  const Distro ubuntu(rig.sandbox / "ubuntu");
  const Distro other(rig.sandbox / "other");
  auto helper = rig.integrate("Ubuntu", *first, ubuntu);

  // Two at once can't be: the second is another distro, under a name that is taken.
  const Process second;
  auto stranger = rig.connect();
  stranger->share("UBUNTU", second, other);
  REQUIRE(rig.until([&] { return !stranger->closed.empty(); }));
  CHECK(stranger->heard<handover::Refused>()->reason ==
        "another distro of that name is integrated and runs");
  CHECK(content(rig.share("Ubuntu/who")) == "root");
  CHECK(rig.shares->distros().size() == 1);

  // Unregistered and imported anew as `ubuntu`: containers find their files where they were.
  first->end();
  REQUIRE(rig.until([&] { return !rig.detaching.empty(); }));
  rig.detaching.front().second();
  REQUIRE(rig.until([&] { return !exists(rig.share("Ubuntu")); }));
  auto again = rig.connect();
  again->share("ubuntu", second, other);
  REQUIRE(rig.until([&] { return rig.shares->attached("Ubuntu"); }));
  CHECK_FALSE(exists(rig.share("ubuntu")));
  CHECK(rig.shares->distros().size() == 1);
  CHECK(rig.listener(rig.sandbox / "run/api/distro-ubuntu.sock") == nullptr);
  CHECK(rig.shares->known("UBUNTU"));
  REQUIRE(rig.shares->disable("uBUNTU"));
  CHECK(rig.state("Ubuntu") == "disabled");

  auto engine = rig.connect();
  engine->hello("Docker-Desktop", second);
  REQUIRE(rig.until([&] { return !engine->closed.empty(); }));
  CHECK(engine->heard<handover::Refused>()->reason == "no distro is called 'Docker-Desktop'");
}

TEST_CASE("shares/shares: a helper that could not be started is shown with the reason" *
          needs_mounts) {
  Rig rig;
  write_file(rig.sandbox.folder("data/causeway") + "/distros.json", R"({"Ubuntu": {}})");
  rig.agent();
  const Process first;
  const Distro ubuntu(rig.sandbox / "ubuntu");
  std::optional<bool> came;
  rig.shares->request("Ubuntu");
  rig.shares->when_attached("Ubuntu", 60'000, [&](bool there) { came = there; });
  for (const char* name : {"NixOS", "ubuntu"}) {
    REQUIRE(rig.shares->helper_failed(name, "ls(1) not found in PATH"));
    CHECK(rig.status(name == std::string("ubuntu") ? "Ubuntu" : name).reason ==
          "ls(1) not found in PATH");
  }
  CHECK(rig.state("NixOS") == "failed");
  CHECK(rig.state("Ubuntu") == "failed");
  CHECK(rig.shares->distros().size() == 2);
  REQUIRE(rig.until([&] { return came.has_value(); }));
  CHECK_FALSE(*came);
  CHECK(rig.shares->why_not_started("Ubuntu") ==
        "its helper could not be started: ls(1) not found in PATH");
  CHECK(rig.shares->helper_failed("../x", "no").error().code == EINVAL);
  for (int i = 0; i < 100; ++i) (void)rig.shares->helper_failed("d" + std::to_string(i), "no").ok();
  CHECK(rig.shares->distros().size() == 33);
  // Until one calls; what comes late of an earlier one is ignored.
  const auto helper = rig.integrate("Ubuntu", first, ubuntu);
  CHECK(rig.status("Ubuntu").reason.empty());
  REQUIRE(rig.shares->helper_failed("Ubuntu", "late"));
  CHECK(rig.state("Ubuntu") == "attached");
  CHECK(rig.status("Ubuntu").reason.empty());
  CHECK(content(rig.sandbox / "data/causeway/distros.json").find("NixOS") == std::string::npos);
}
