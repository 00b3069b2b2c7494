#include <doctest/doctest.h>

#include <optional>

#include "base/file.h"
#include "binds/bind_check.h"
#include "binds/source_mapper.h"
#include "support/loop_fixture.h"
#include "support/scripted_engine.h"

using namespace causeway;
using binds::Mapped;
using paths::Identity;

namespace {

struct FakeDistros final : binds::Distros {
  explicit FakeDistros(io::Loop& on) : loop(on) {
    now.distros["Ubuntu"].attached = true;
    now.distros["Ubuntu"].mounts = {"/mnt/wsl", {{"/mnt/c", 'c', ""}}};
    now.distros["Debian"].mounts = {"/mnt/wsl", {}};
    now.drives = {'c'};
  }
  const paths::PathContext& path_context() const override { return now; }
  std::string obstacle(const std::string& distro) const override {
    return distro == "NoSuch" || distro == "Off" ? distro + " can't come" : "";
  }
  void request(const std::string& distro) override { requested.push_back(distro); }
  std::string not_started(const std::string&) const override { return refusal; }
  std::string refusal;
  void when_attached(const std::string& distro, std::uint64_t, Attached done) override {
    loop.defer([this, distro, done] {
      now.distros[distro].attached = comes;
      done(comes);
    });
  }
  void resolve(const std::string& distro, std::vector<std::string> paths, Resolved done) override {
    ++questions;
    std::vector<Result<std::string>> out;
    for (auto& path : paths) {
      const auto link = links.find(path);
      if (link == links.end()) {
        out.emplace_back(path);
      } else if (link->second.empty()) {
        out.emplace_back(make_error(path + " leads nowhere"));
      } else {
        out.emplace_back(link->second);
      }
    }
    (void)distro;
    loop.defer([done, out] { done(out); });
  }

  io::Loop& loop;
  paths::PathContext now;
  std::map<std::string, std::string> links;
  std::vector<std::string> requested;
  bool comes = true;
  int questions = 0;
};

const Identity kUbuntu{Identity::Kind::distro, "Ubuntu"};
const Identity kWindows{Identity::Kind::windows, "windows"};

struct MapRig {
  Mapped map(const Identity& asker, std::vector<std::string> sources) {
    std::optional<Mapped> got;
    mapper.map(asker, std::move(sources), [&](Mapped mapped) { got = std::move(mapped); });
    CHECK(!got);
    causeway::test::settle(loop);
    REQUIRE(got);
    return *std::move(got);
  }
  io::Loop loop;
  FakeDistros distros{loop};
  binds::SourceMapper mapper{loop, distros};
};

}  // namespace

TEST_CASE("binds/source_mapper: paths of a distro, its links resolved, one question for all") {
  MapRig rig;
  rig.distros.links["/work"] = "/home/dev/work";
  const auto mapped = rig.map(kUbuntu, {"/home/dev", "/work", "data", "/mnt/c/Users", "/proc"});
  CHECK(mapped.status == 0);
  CHECK(mapped.paths == std::vector<std::string>{"/mnt/distro/Ubuntu/home/dev",
                                                 "/mnt/distro/Ubuntu/home/dev/work", "data",
                                                 "/mnt/host/c/Users", "/proc"});
  CHECK(rig.distros.questions == 1);
}

TEST_CASE("binds/source_mapper: a link to a Windows drive ends on the drive") {
  MapRig rig;
  rig.distros.links["/home/dev/win"] = "/mnt/c/Users/dev";
  std::vector<std::string> hints;
  rig.mapper.on_windows_files = [&](const Identity&, const std::string& s) { hints.push_back(s); };
  CHECK(rig.map(kUbuntu, {"/home/dev/win"}).paths[0] == "/mnt/host/c/Users/dev");
  CHECK(hints == std::vector<std::string>{"/home/dev/win"});
}

TEST_CASE("binds/source_mapper: only what lies on a drive is told to lie on one") {
  MapRig rig;
  std::vector<std::string> hints;
  rig.mapper.on_windows_files = [&](const Identity&, const std::string& s) { hints.push_back(s); };
  const auto mapped = rig.map(kUbuntu, {"/home/dev/host/app", "/mnt/host/", "/srv/mnt/host/c/x",
                                        "/mnt/host/c/given/as/the/engine/has/it"});
  REQUIRE(mapped.status == 0);
  CHECK(mapped.paths[0] == "/mnt/distro/Ubuntu/home/dev/host/app");
  CHECK(mapped.paths[3] == "/mnt/host/c/given/as/the/engine/has/it");
  CHECK(hints.empty());
}

TEST_CASE("binds/source_mapper: a distro that doesn't run is asked for") {
  MapRig rig;
  CHECK(rig.map(kWindows, {R"(\\wsl.localhost\Debian\srv)"}).paths[0] == "/mnt/distro/Debian/srv");
  CHECK(rig.distros.requested == std::vector<std::string>{"Debian"});

  MapRig never;
  never.distros.comes = false;
  const auto mapped = never.map(kWindows, {R"(\\wsl$\Debian\srv)"});
  CHECK(mapped.status == 400);
  CHECK(mapped.message.find("Debian is not running") != std::string::npos);
  never.distros.refusal = "it is not enabled";
  CHECK(never.map(kWindows, {R"(\\wsl$\Debian\srv)"}).message ==
        "the WSL distro Debian is not running, and Windows did not start it: it is not enabled");
}

TEST_CASE("binds/source_mapper: a distro that can't come isn't waited for") {
  MapRig rig;
  rig.distros.now.distros["Off"] = {};
  const auto mapped = rig.map(kWindows, {R"(\\wsl$\Off\srv)"});
  CHECK(mapped.status == 400);
  CHECK(mapped.message == "Off can't come");
  CHECK(rig.distros.requested.empty());
}

TEST_CASE("binds/source_mapper: one bad source is the answer for all") {
  MapRig rig;
  rig.distros.links["/dangling"] = "";
  auto mapped = rig.map(kUbuntu, {"/fine", "/dangling"});
  CHECK(mapped.status == 400);
  CHECK(mapped.message == "invalid mount source: /dangling leads nowhere");
  CHECK(mapped.paths.empty());
  mapped = rig.map(kWindows, {R"(\\server\share)"});
  CHECK(mapped.status == 400);
  CHECK(!mapped.message.empty());
}

TEST_CASE("binds/source_mapper: nothing to map is an answer too") {
  MapRig rig;
  CHECK(rig.map(kUbuntu, {}).status == 0);
  CHECK(rig.map(Identity{}, {"/x"}).paths[0] == "/x");
}

TEST_CASE("binds/distros: all are asked for, or none when one can't come") {
  io::Loop loop;
  FakeDistros distros(loop);
  std::optional<binds::Awaited> got;
  const auto done = [&](const binds::Awaited& awaited) { got = awaited; };
  binds::await_distros(distros, {}, 1000, done);
  REQUIRE(got);
  CHECK(got->missing.empty());

  got.reset();
  binds::await_distros(distros, {"Debian", "Off"}, 1000, done);
  REQUIRE(got);
  CHECK(got->obstacle == "Off can't come");
  CHECK(distros.requested.empty());

  got.reset();
  distros.comes = false;
  binds::await_distros(distros, {"Debian", "Fedora"}, 1000, done);
  CHECK(distros.requested == std::vector<std::string>{"Debian", "Fedora"});
  CHECK_FALSE(got);
  REQUIRE(test::run_until(loop, [&] { return got.has_value(); }));
  CHECK(got->obstacle.empty());
  CHECK(got->missing == std::set<std::string>{"Debian", "Fedora"});
  CHECK_FALSE(binds::is_attached(distros, "Debian"));
  CHECK(binds::is_attached(distros, "Ubuntu"));
  CHECK_FALSE(binds::is_attached(distros, "NoSuch"));
}

namespace {

struct CheckRig {
  std::pair<int, std::string> check(const std::string& source) {
    engine.answers["GET /containers/web/json"] = {
        200, R"({"Id":"c","Mounts":[{"Type":"bind","Source":")" + source + R"("},
                 {"Type":"bind","Source":"/elsewhere"}]})"};
    return ask();
  }
  std::pair<int, std::string> ask() {
    std::optional<std::pair<int, std::string>> got;
    checker.check("web", [&](int status, std::string why) { got.emplace(status, std::move(why)); });
    engine.settle();
    REQUIRE(got);
    return *got;
  }
  test::ScriptedEngine engine;
  http_client::HttpClient client{engine.loop, engine.socket()};
  FakeDistros distros{engine.loop};
  binds::BindCheck checker{distros, client, engine.folder};
};

}  // namespace

TEST_CASE("binds/bind_check: a source that still is itself is fine") {
  CheckRig rig;
  CHECK(rig.check("/mnt/distro/Ubuntu/home").first == 0);
  CHECK(rig.check("/mnt/distro/Ubuntu").first == 0);
  CHECK(rig.check("/data/elsewhere").first == 0);
}

TEST_CASE("binds/bind_check: a part that became a link is a conflict that names it") {
  CheckRig rig;
  rig.distros.links["/home/dev"] = "/etc";
  const auto [status, why] = rig.check("/mnt/distro/Ubuntu/home/dev");
  CHECK(status == 409);
  CHECK(why.find("/home/dev") != std::string::npos);
  CHECK(why.find("symbolic link, to /etc") != std::string::npos);
}

TEST_CASE("binds/bind_check: a distro is asked for, and named when it doesn't come") {
  CheckRig rig;
  CHECK(rig.check("/mnt/distro/Debian/srv").first == 0);
  CheckRig never;
  never.distros.comes = false;
  const auto [status, why] = never.check("/mnt/distro/Debian/srv");
  CHECK(status == 409);
  CHECK(why.find("Debian") != std::string::npos);
  CHECK(never.distros.questions == 0);
  never.distros.refusal = "it is not enabled";
  CHECK(never.check("/mnt/distro/Debian/srv").second.find("it is not enabled") !=
        std::string::npos);
}

TEST_CASE("binds/bind_check: a distro that nobody knows isn't waited for") {
  CheckRig rig;
  const auto [status, why] = rig.check("/mnt/distro/NoSuch/srv");
  CHECK(status == 409);
  CHECK(why.find("NoSuch") != std::string::npos);
  CHECK(rig.distros.requested.empty());
}

TEST_CASE("binds/bind_check: only what dockerd says it hasn't passes unseen") {
  struct Row {
    int answer;
    const char* body;
    int status;
    const char* why;
  };
  for (const Row& row : {
           Row{404, R"({"message":"No such container: web"})", 0, ""},
           {200, R"({"Id":"c","Mounts":[]})", 0, ""},
           {500, R"({"message":"Multiple IDs found with provided prefix: web"})", 500,
            "Multiple IDs found with provided prefix: web"},
           {400, R"({"message":"bad name"})", 400, "bad name"},
           {503, "busy", 503, "the engine answers with status 503"},
           {500, R"({"message":7})", 500, "the engine answers with status 500"},
           {204, "", 503, "the engine answers with status 204"},
           {301, "", 503, "the engine answers with status 301"},
           {200, "", 503, "line 1, column"},
           {200, R"({"Id":"c","Mounts":[)", 503, "line 1, column"},
           {200, R"({"Id":"c","Mounts":[],"Mounts":[]})", 503, "/Mounts"},
           {200, R"({"Id":"c"})", 503, "no list of mounts"},
           {200, R"({"Id":"c","Mounts":"none"})", 503, "no list of mounts"},
           {200, "[]", 503, "no list of mounts"},
       }) {
    CAPTURE(row.answer);
    CAPTURE(row.body);
    CheckRig rig;
    rig.engine.answers["GET /containers/web/json"] = {row.answer, row.body};
    const auto [status, why] = rig.ask();
    CHECK(status == row.status);
    CAPTURE(why);
    CHECK(why.find(row.why) != std::string::npos);
    CHECK(why.empty() == (status == 0));
    CHECK(rig.distros.questions == 0);
  }
}

TEST_CASE("binds/bind_check: an engine that can't be asked lets nothing through") {
  CheckRig gone;
  http_client::HttpClient nobody{gone.engine.loop, gone.engine.folder + "/no.sock"};
  binds::BindCheck checker{gone.distros, nobody, gone.engine.folder};
  std::optional<std::pair<int, std::string>> got;
  checker.check("web", [&](int status, std::string why) { got.emplace(status, std::move(why)); });
  gone.engine.settle();
  REQUIRE(got);
  CHECK(got->first == 503);
  CHECK(got->second.find("can't be checked") != std::string::npos);
}

TEST_CASE("binds/bind_check: a volume whose device isn't known lets nothing through") {
  CheckRig rig;
  const std::string volume = rig.engine.folder + "/volumes/data";
  REQUIRE(file::make_directories(volume));
  rig.engine.answers["GET /containers/web/json"] = {
      200, R"({"Id":"c","Mounts":[{"Type":"volume","Name":"data","Source":"/v"}]})"};
  CHECK(rig.ask().first == 0);  // it has no options
  const auto options = [&](const std::string& text) {
    REQUIRE(file::write_atomic(volume + "/opts.json", text));
  };
  options(R"({"MountOpts":"bind","MountDevice":"/mnt/distro/Ubuntu/home"})");
  CHECK(rig.ask().first == 0);
  rig.distros.links["/home"] = "/etc";
  CHECK(rig.ask().first == 409);
  options(R"({"MountOpts":"bind","MountDev)");
  const auto [status, why] = rig.ask();
  CHECK(status == 503);
  CHECK(why.find("the options of the volume data") != std::string::npos);
}

TEST_CASE("binds/bind_check: a name is one part of the engine's path") {
  CheckRig rig;
  std::optional<int> got;
  rig.checker.check("nobody/../x", [&](int status, const std::string&) { got = status; });
  rig.engine.settle();
  CHECK(got == 0);
  CHECK(rig.engine.asked == std::vector<std::string>{"GET /containers/nobody%2F..%2Fx/json"});
}
