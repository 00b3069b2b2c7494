#include "containers/share_guard.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "support/scripted_engine.h"

using namespace causeway;
using containers::ShareGuard;

namespace {

struct Rig {
  Rig() : client(engine.loop, engine.socket()), guard(make()) {
    engine.answers["GET /containers/json"] = {200, "[]"};
    engine.on_call = [this](const std::string& call) {
      if (call.find("/stop") != std::string::npos) remembered_at_stop = file::read(state()).ok();
    };
  }
  std::unique_ptr<ShareGuard> make() {
    ShareGuard::Options options;
    options.docker_root = engine.folder + "/docker";
    options.state_file = state();
    return std::make_unique<ShareGuard>(
        engine.loop, client,
        [this](std::string_view distro) { return attached.contains(std::string(distro)); },
        [this](const std::string& id, const ShareGuard::Checked& checked) {
          engine.loop.defer([this, id, checked] { checked(id == bad ? "a link" : ""); });
        },
        options, [this] { ++changes; });
  }
  std::string state() const { return engine.folder + "/state/stopped.json"; }
  // dockerd's records of a container that binds from these distros.
  void record(const std::string& id, const std::string& policy, bool running,
              const std::vector<std::string>& distros, const std::string& error = "",
              bool by_user = false) {
    std::string mounts;
    for (const auto& distro : distros)
      mounts += (mounts.empty() ? "" : ",") + std::string("\"/") + distro +
                R"(":{"Type":"bind","Source":"/mnt/distro/)" + distro + "/x\"}";
    const std::string folder = engine.folder + "/docker/containers/" + id;
    REQUIRE(file::make_directories(folder).ok());
    REQUIRE(file::write_atomic(folder + "/config.v2.json",
                               R"({"ID":")" + id + R"(","Name":"/n","HasBeenManuallyStopped":)" +
                                   (by_user ? "true" : "false") + R"(,"State":{"Running":)" +
                                   (running ? "true" : "false") + R"(,"ExitCode":128,"Error":")" +
                                   error + "\"},\"MountPoints\":{" + mounts + "}}")
                .ok());
    REQUIRE(file::write_atomic(folder + "/hostconfig.json",
                               R"({"RestartPolicy":{"Name":")" + policy + "\"}}")
                .ok());
    engine.answers["POST /containers/" + id + "/stop?t=1"] = {204, ""};
    engine.answers["POST /containers/" + id + "/start"] = {204, ""};
  }
  void running(const std::vector<std::pair<std::string, std::string>>& all) {
    std::string list;
    for (const auto& [id, distro] : all)
      list += (list.empty() ? "" : ",") + std::string(R"({"Id":")") + id +
              R"(","Mounts":[{"Type":"bind","Source":"/mnt/distro/)" + distro + "/x\"}]}";
    engine.answers["GET /containers/json"] = {200, "[" + list + "]"};
  }
  void ready() {
    guard->engine_ready(true);
    engine.settle();
  }
  bool asked(const std::string& call) const { return times(call) > 0; }
  long times(const std::string& call) const {
    return std::count(engine.asked.begin(), engine.asked.end(), call);
  }
  std::string problems() const {
    std::string out;
    for (const auto& problem : guard->problems()) out += problem + "\n";
    return out;
  }

  test::ScriptedEngine engine;
  http_client::HttpClient client;
  std::set<std::string> attached;
  std::string bad;
  bool remembered_at_stop = false;
  int changes = 0;
  std::unique_ptr<ShareGuard> guard;
};

const std::string kGone =
    "error while creating mount source path '/mnt/distro/Ubuntu/x': read-only file system";

}  // namespace

TEST_CASE(
    "containers/share_guard: what binds from a share is written down, stopped, and started again") {
  Rig rig;
  rig.attached = {"Ubuntu", "Debian"};
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.record("d1", "no", true, {"Debian"});
  rig.running({{"u1", "Ubuntu"}, {"d1", "Debian"}});
  rig.ready();
  bool done = false;
  rig.attached.erase("Ubuntu");
  rig.guard->share_detaching("Ubuntu", [&] { done = true; });
  CHECK(!done);
  rig.engine.settle();
  CHECK(done);
  CHECK(rig.remembered_at_stop);
  CHECK(rig.asked("POST /containers/u1/stop?t=1"));
  CHECK(!rig.asked("POST /containers/d1/stop?t=1"));
  CHECK(rig.guard->remembered().at("Ubuntu") == std::set<std::string>{"u1"});

  // A new agent knows it too.
  rig.record("u1", "no", false, {"Ubuntu"}, "", true);
  rig.running({});
  rig.guard = rig.make();
  REQUIRE(rig.guard->load().ok());
  rig.ready();
  CHECK(!rig.asked("POST /containers/u1/start"));
  rig.attached.insert("Ubuntu");
  rig.guard->share_attached("Ubuntu");
  rig.engine.settle();
  CHECK(rig.asked("POST /containers/u1/start"));
  CHECK(rig.guard->remembered().empty());
}

TEST_CASE(
    "containers/share_guard: a share goes while no engine runs: its containers are stopped later") {
  Rig rig;
  rig.record("u1", "no", true, {"Ubuntu"});
  bool done = false;
  rig.guard->share_detaching("Ubuntu", [&] { done = true; });
  rig.engine.settle();
  CHECK(done);
  CHECK(rig.engine.asked.empty());
  rig.running({{"u1", "Ubuntu"}});
  rig.ready();
  CHECK(rig.asked("POST /containers/u1/stop?t=1"));
}

// What dockerd may say instead of a list: none of it means that nothing runs.
TEST_CASE("containers/share_guard: what runs is asked again until it is said") {
  struct Row {
    const char* name;
    test::ScriptedEngine::Answer answer;
    const char* says;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"an error", {500, R"({"message":"busy"})"}, "status 500"},
           {"half a list", {200, R"([{"Id":)"}, "line 1"},
           {"another thing", {200, R"({"message":"x"})"}, "no list"},
           {"nothing", {200, ""}, "("},
       }) {
    CAPTURE(row.name);
    Rig rig;
    rig.attached = {"Ubuntu"};
    rig.record("u1", "no", true, {"Ubuntu"});
    rig.record("d1", "no", true, {"Debian"});
    rig.record("u2", "no", false, {"Ubuntu"});
    rig.ready();
    CHECK(rig.problems().empty());
    rig.engine.answers["GET /containers/json"] = row.answer;
    rig.attached.clear();
    bool done = false;
    rig.guard->share_detaching("Ubuntu", [&] { done = true; });
    rig.engine.settle();
    CHECK(!done);
    CHECK(rig.problems().find(row.says) != std::string::npos);
    CHECK(rig.changes == 1);
    // By dockerd's own records: an agent that dies now knows it, too.
    CHECK(rig.guard->remembered().at("Ubuntu") == std::set<std::string>{"u1"});
    CHECK(file::read(rig.state())->find("u1") != std::string::npos);

    rig.running({{"u1", "Ubuntu"}});
    REQUIRE(rig.engine.until([&] { return done; }));
    CHECK(rig.times("POST /containers/u1/stop?t=1") == 1);
    CHECK(rig.problems().empty());
    CHECK(rig.changes == 2);
  }
}

TEST_CASE("containers/share_guard: a silent engine's own records say what to remember") {
  Rig rig;
  rig.attached = {"Ubuntu"};
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.ready();
  rig.engine.silent = true;
  rig.attached.clear();
  bool done = false;
  rig.guard->share_detaching("Ubuntu", [&] { done = true; });
  REQUIRE(rig.engine.until([&] { return !rig.guard->remembered().empty(); }));
  CHECK(rig.guard->remembered().at("Ubuntu") == std::set<std::string>{"u1"});
  CHECK(!done);
  // It is gone before it has answered: nobody can stop them, and whoever waits is told.
  rig.guard->engine_ready(false);
  rig.engine.settle();
  REQUIRE(rig.engine.until([&] { return done; }));
}

TEST_CASE("containers/share_guard: a container that can't be stopped is tried again, and told") {
  Rig rig;
  rig.attached = {"Ubuntu"};
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.running({{"u1", "Ubuntu"}});
  rig.ready();
  rig.engine.answers["POST /containers/u1/stop?t=1"] = {500, "cannot stop: no descriptor is free"};
  rig.attached.clear();
  bool done = false;
  rig.guard->share_detaching("Ubuntu", [&] { done = true; });
  rig.engine.settle();
  CHECK(done);
  CHECK(rig.problems().find("no descriptor is free") != std::string::npos);
  rig.engine.answers["POST /containers/u1/stop?t=1"] = {204, ""};
  REQUIRE(rig.engine.until([&] { return rig.problems().empty(); }));
  CHECK(rig.times("POST /containers/u1/stop?t=1") == 2);
}

TEST_CASE(
    "containers/share_guard: events that end are followed anew, and what was missed is seen") {
  Rig rig;
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.record("w1", "always", false, {"Debian"}, kGone);
  rig.ready();
  rig.engine.follower->shutdown_write();
  rig.engine.settle();
  CHECK(rig.problems().find("events can't be had") != std::string::npos);
  // Meanwhile one has started, and another one's share has come.
  rig.running({{"u1", "Ubuntu"}});
  rig.attached = {"Debian"};
  REQUIRE(rig.engine.until([&] { return rig.asked("POST /containers/w1/start"); }));
  REQUIRE(rig.engine.until([&] { return rig.asked("POST /containers/u1/stop?t=1"); }));
  CHECK(rig.problems().empty());
  rig.engine.event(R"({"status":"start","id":"u1","Type":"container"})");
  CHECK(rig.times("POST /containers/u1/stop?t=1") == 2);
}

TEST_CASE(
    "containers/share_guard: an event too long to be read is looked after, and the next one "
    "heard") {
  Rig rig;
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.record("u2", "no", true, {"Ubuntu"});
  rig.ready();
  rig.running({{"u1", "Ubuntu"}});
  rig.engine.event(
      R"({"status":"start","id":"u1","Type":"container","Actor":{"Attributes":{"label":")" +
      std::string(http_client::HttpClient::kMostLine, 'x') + "\"}}}");
  REQUIRE(rig.engine.until([&] { return rig.asked("POST /containers/u1/stop?t=1"); }));
  rig.engine.event(R"({"status":"start","id":"u2","Type":"container"})");
  REQUIRE(rig.engine.until([&] { return rig.asked("POST /containers/u2/stop?t=1"); }));
  CHECK(rig.problems().empty());
}

TEST_CASE("containers/share_guard: those that dockerd failed to start for want of a share") {
  struct Row {
    const char* name;
    const char* policy;
    std::string error;
    bool running, by_user, starts;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"its files were missing", "always", kGone, false, false, true},
           {"the same, unless-stopped", "unless-stopped", kGone, false, false, true},
           {"the same, on-failure", "on-failure", kGone, false, false, true},
           {"no policy", "no", kGone, false, false, false},
           {"stopped by the user since", "unless-stopped", kGone, false, true, false},
           {"another error", "always", "no such image", false, false, false},
           {"it runs", "always", kGone, true, false, false},
       }) {
    CAPTURE(row.name);
    Rig rig;
    rig.record("u1", row.policy, row.running, {"Ubuntu"}, row.error, row.by_user);
    rig.ready();
    CHECK(!rig.asked("POST /containers/u1/start"));  // the share is not there
    rig.attached.insert("Ubuntu");
    rig.guard->share_attached("Ubuntu");
    rig.engine.settle();
    CHECK(rig.asked("POST /containers/u1/start") == row.starts);
  }
}

TEST_CASE("containers/share_guard: a container that starts while its share goes is stopped") {
  Rig rig;
  rig.attached = {"Debian"};
  rig.record("u1", "no", true, {"Ubuntu"});
  rig.record("d1", "no", true, {"Debian"});
  rig.ready();
  rig.engine.event(R"({"status":"start","id":"d1","Type":"container"})");
  CHECK(!rig.asked("POST /containers/d1/stop?t=1"));
  rig.engine.event(R"({"status":"start","id":"u1","Type":"container"})");
  CHECK(rig.asked("POST /containers/u1/stop?t=1"));
  CHECK(rig.guard->remembered().at("Ubuntu") == std::set<std::string>{"u1"});
  rig.engine.event("nonsense");
  rig.engine.event(R"({"id":"../../x"})");
}

TEST_CASE(
    "containers/share_guard: a start that fails after the share has come back is tried once more") {
  Rig rig;
  rig.attached = {"Ubuntu"};
  rig.record("u1", "always", false, {"Ubuntu"});
  rig.ready();
  const std::string event =
      R"({"Type":"network","Action":"disconnect","Actor":{"ID":"n1","Attributes":{"container":"u1"}}})";
  rig.engine.event(event);
  CHECK(!rig.asked("POST /containers/u1/start"));  // it was stopped, not given up
  rig.record("u1", "always", false, {"Ubuntu"}, kGone);
  rig.engine.event(event);
  rig.engine.event(event);
  rig.engine.event(event);
  CHECK(std::count(rig.engine.asked.begin(), rig.engine.asked.end(), "POST /containers/u1/start") ==
        1);
  rig.guard->share_attached("Ubuntu");
  rig.engine.settle();
  CHECK(std::count(rig.engine.asked.begin(), rig.engine.asked.end(), "POST /containers/u1/start") ==
        2);
}

TEST_CASE("containers/share_guard: a container of two distros waits for both") {
  Rig rig;
  rig.record("m1", "always", false, {"Ubuntu", "Debian"}, kGone);
  rig.attached = {"Ubuntu"};
  rig.ready();
  CHECK(!rig.asked("POST /containers/m1/start"));
  rig.attached.insert("Debian");
  rig.guard->share_attached("Debian");
  rig.engine.settle();
  CHECK(rig.asked("POST /containers/m1/start"));
}

TEST_CASE("containers/share_guard: one whose path has become a link isn't started") {
  Rig rig;
  rig.record("u1", "always", false, {"Ubuntu"}, kGone);
  rig.bad = "u1";
  rig.attached = {"Ubuntu"};
  rig.ready();
  CHECK(!rig.asked("POST /containers/u1/start"));
}

TEST_CASE(
    "containers/share_guard: a container that was removed is forgotten, a failed start isn't") {
  Rig rig;
  REQUIRE(file::make_directories(rig.engine.folder + "/state").ok());
  REQUIRE(file::write_atomic(rig.state(), R"({"stopped_for":{"Ubuntu":["gone","u1"]}})").ok());
  rig.record("u1", "no", false, {"Ubuntu"});
  rig.engine.answers["POST /containers/u1/start"] = {500, R"({"message":"no space"})"};
  REQUIRE(rig.guard->load().ok());
  rig.attached = {"Ubuntu"};
  rig.ready();
  CHECK(rig.guard->remembered().at("Ubuntu") == std::set<std::string>{"u1"});
}

TEST_CASE("containers/share_guard: a broken list is an error, an empty one isn't") {
  Rig rig;
  CHECK(rig.guard->load().ok());
  REQUIRE(file::make_directories(rig.engine.folder + "/state").ok());
  REQUIRE(file::write_atomic(rig.state(), "half").ok());
  CHECK(!rig.guard->load().ok());
  CHECK(rig.guard->remembered().empty());
}
