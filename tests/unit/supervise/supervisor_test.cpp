// The supervisor over real, tiny processes in directories of its own, without init and without
// control groups. Nothing sleeps: each step runs the loop until a state is reached, with a deadline
// for failures.
#include "supervise/supervisor.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "fd_store/store_client.h"
#include "io/endpoint.h"
#include "io/loop.h"
#include "io/timer.h"
#include "process/pidfd.h"
#include "supervise/exit_reports.h"
#include "supervise/state_file.h"
#include "support/loop_fixture.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::supervise;

namespace {

constexpr std::uint64_t kDeadlineMs = 20000;

// A service that lives until it is told to end.
const char* const kLives = R"("exec sleep 1000")";

class World {
 public:
  World() { REQUIRE(file::make_directories(root + "/etc/services.d").ok()); }
  ~World() { stop_all(); }

  // A shell script as a service, with more members of its file.
  void service(const std::string& name, const std::string& script,
               const std::string& more = "") const {
    write(name, R"({"name":")" + name + R"(","argv":["/bin/sh","-c",)" + script +
                    R"(],"cgroup":false)" + (more.empty() ? "" : "," + more) + "}");
  }
  void write(const std::string& name, const std::string& content) const {
    REQUIRE(file::write_atomic(root + "/etc/services.d/" + name + ".json", content).ok());
  }
  void remove(const std::string& name) const {
    REQUIRE(::unlink((root + "/etc/services.d/" + name + ".json").c_str()) == 0);
  }

  void start() {
    Supervisor::Options options;
    options.directories = {root + "/run", root + "/data", root + "/etc"};
    supervisor = std::make_unique<Supervisor>(loop, store, options);
    supervisor->on_change([this] {
      for (const auto& s : supervisor->snapshot())
        history += s.name + "=" + state_name(s.state) + " ";
      loop.stop();
    });
    REQUIRE(supervisor->start().ok());
  }
  // As kill -9 does: nothing is told to the services.
  void die() { supervisor.reset(); }

  void until(const std::function<bool()>& reached) {
    bool late = false;
    io::Timer deadline(loop);
    deadline.start(kDeadlineMs, [&] {
      late = true;
      loop.stop();
    });
    while (!reached() && !late) loop.run();
    if (late)
      for (const auto& s : supervisor->snapshot())
        MESSAGE(s.name << " " << std::string(state_name(s.state)) << " " << s.reason);
    REQUIRE_FALSE(late);
  }
  void until_state(const std::string& name, State state) {
    until([&] { return status(name).state == state; });
  }
  ServiceStatus status(const std::string& name) const {
    auto found = supervisor->status(name);
    REQUIRE(found.has_value());
    return *found;
  }
  void stop_all() {
    if (!supervisor) return;
    bool done = false;
    supervisor->shutdown([&] {
      done = true;
      loop.stop();
    });
    until([&] { return done; });
    supervisor.reset();
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
  std::string path(const std::string& name) const { return root + "/" + name; }

  causeway::test::TempDir directory;
  const std::string& root = directory.path;
  std::string history;
  io::Loop loop;
  fd_store::StoreClient store;
  std::unique_ptr<Supervisor> supervisor;
};

std::string quoted(const std::string& script) { return "\"" + script + "\""; }

}  // namespace

TEST_CASE("supervise/supervisor: a service starts when those it needs are ready") {
  World world;
  world.service("db", quoted("sleep 0.2; : > " + world.path("up") + "; exec sleep 1000"),
                R"("ready":{"file":{"path":")" + world.path("up") + "\"}}");
  world.service("app", quoted("test -e " + world.path("up") + " || exit 9; exec sleep 1000"),
                R"("needs":["db"])");
  world.start();
  CHECK(world.status("app").state == State::waiting);
  CHECK(world.status("app").reason == "waits for db (starting)");
  world.until_state("app", State::ready);
  CHECK(world.status("db").state == State::ready);
  CHECK(world.status("app").restarts == 0);
  const auto shown = world.supervisor->snapshot();
  REQUIRE(shown.size() == 2);
  CHECK(shown[0].name == "db");
  CHECK(shown[1].name == "app");
  CHECK(world.supervisor->names() == std::vector<std::string>{"app", "db"});
  const auto states = world.supervisor->states();
  REQUIRE(states.size() == 2);
  CHECK(states[0].name == "app");
  CHECK(states[0].state == State::ready);
  CHECK(states[0].needs == std::vector<std::string>{"db"});
}

TEST_CASE("supervise/supervisor: what can't work ends in failed, with reason and last lines") {
  World world;
  world.service("bad", quoted("echo config is wrong; exit 3"),
                R"("ready":{"file":{"path":"/nowhere"}},"restart":{"delay_ms":10,"limit":3})");
  world.service("gone", quoted("exit 0"), R"("enabled":false)");
  world.write("missing", R"({"name":"missing","argv":["/nowhere/tool"],"cgroup":false,
    "restart":{"delay_ms":10,"limit":2}})");
  world.start();
  world.until_state("bad", State::failed);
  const auto bad = world.status("bad");
  CHECK(bad.reason == "3 starts failed within 120 s, the last: exited with code 3");
  CHECK(bad.restarts == 2);
  CHECK(bad.last_log_lines == std::vector<std::string>(3, "config is wrong"));
  CHECK(bad.pid == 0);
  world.until_state("missing", State::failed);
  CHECK(world.status("missing").reason.find("exec /nowhere/tool: No such file or directory") !=
        std::string::npos);
  CHECK(world.status("gone").state == State::off);
}

TEST_CASE("supervise/supervisor: start, stop and restart by request") {
  World world;
  world.service("a", kLives);
  world.service("b", kLives, R"("enabled":false,"needs":["a"])");
  world.start();
  world.until_state("a", State::ready);
  const auto first = world.status("a").pid;
  REQUIRE(world.supervisor->restart_service("a").ok());
  CHECK(world.status("a").state == State::stopping);
  world.until(
      [&] { return world.status("a").state == State::ready && world.status("a").pid != first; });
  CHECK(world.status("a").restarts == 1);
  REQUIRE(world.supervisor->stop_service("a").ok());
  world.until_state("a", State::off);
  CHECK(world.status("a").reason == "stopped by request");
  REQUIRE(world.supervisor->start_service("b").ok());  // and a, which it needs
  world.until_state("b", State::ready);
  CHECK(world.status("a").state == State::ready);
  CHECK(world.supervisor->start_service("nobody").error().code == ENOENT);
  CHECK(world.supervisor->logs("nobody", 1).error().code == ENOENT);
}

TEST_CASE("supervise/supervisor: what sleeps is woken by need, and by the next agent") {
  World world;
  world.service("db", kLives);
  world.service("app", kLives, R"("needs":["db"])");
  world.service("stopped", kLives, R"("needs":["db"])");
  world.start();
  for (const char* name : {"app", "stopped"}) world.until_state(name, State::ready);
  REQUIRE(world.supervisor->stop_service("stopped").ok());
  const auto sleep = [&] {
    for (const char* name : {"stopped", "app", "db"}) {
      REQUIRE(world.supervisor->stop_service(name, StopReason::sleep).ok());
      world.until_state(name, State::off);
    }
  };
  sleep();
  CHECK(world.status("app").reason == "asleep: nobody needs it now");
  CHECK(world.status("stopped").reason == "stopped by request");
  const auto states = world.supervisor->states();
  CHECK(states[0].asleep);
  CHECK_FALSE(states[2].asleep);

  REQUIRE(world.supervisor->wake_service("stopped").ok());
  CHECK(world.status("stopped").state == State::off);
  CHECK(world.status("db").state == State::off);
  REQUIRE(world.supervisor->wake_service("app").ok());
  world.until_state("app", State::ready);
  REQUIRE(world.supervisor->wake_service("app").ok());  // awake: nothing happens
  CHECK(world.status("app").state == State::ready);
  CHECK(world.supervisor->wake_service("nobody").error().code == ENOENT);

  sleep();
  const auto saved = parse_saved_state(*file::read(world.path("run/state/app.json")));
  REQUIRE(saved.ok());
  CHECK_FALSE(saved->wanted.has_value());
  // A request wakes what it needs, without making that a wish.
  REQUIRE(world.supervisor->start_service("app").ok());
  world.until_state("app", State::ready);
  const auto need = parse_saved_state(*file::read(world.path("run/state/db.json")));
  REQUIRE(need.ok());
  CHECK_FALSE(need->wanted.has_value());
  REQUIRE(world.supervisor->stop_service("db", StopReason::sleep).ok());
  REQUIRE(world.status("db").state == State::stopping);
  REQUIRE(world.supervisor->start_service("app").ok());
  world.until_state("db", State::ready);
  sleep();
  // While one stops for its sleep the agent dies: the next one starts it again.
  REQUIRE(world.supervisor->wake_service("app").ok());
  world.until_state("app", State::ready);
  REQUIRE(world.supervisor->stop_service("app", StopReason::sleep).ok());
  CHECK(world.status("app").state == State::stopping);
  world.die();
  world.start();
  world.until_state("app", State::ready);
  CHECK(world.status("stopped").state == State::off);

  REQUIRE(world.supervisor->stop_service("app", StopReason::sleep).ok());
  world.until_state("app", State::off);
  REQUIRE(world.supervisor->stop_service("app").ok());  // now a person says so
  CHECK(world.status("app").reason == "stopped by request");
  REQUIRE(world.supervisor->wake_service("app").ok());
  world.die();
  world.start();
  CHECK(world.status("app").state == State::off);
}

TEST_CASE("supervise/supervisor: the next agent takes over what runs, and what was asked for") {
  World world;
  world.service("lives", kLives);
  world.service("stopped", kLives);
  world.service("wanted", kLives, R"("enabled":false)");
  world.service("dies", kLives);
  world.start();
  for (const char* name : {"lives", "stopped", "dies"}) world.until_state(name, State::ready);
  REQUIRE(world.supervisor->stop_service("stopped").ok());
  REQUIRE(world.supervisor->start_service("wanted").ok());
  world.until_state("stopped", State::off);
  world.until_state("wanted", State::ready);
  const auto lives = world.status("lives").pid;
  const auto wanted = world.status("wanted").pid;
  const auto dies = world.status("dies").pid;
  world.die();
  REQUIRE(::kill(dies, SIGKILL) == 0);
  REQUIRE(::waitpid(dies, nullptr, 0) == dies);

  world.start();
  world.until_state("lives", State::ready);
  CHECK(world.status("lives").pid == lives);
  CHECK(world.status("lives").adopted);
  CHECK(world.status("lives").restarts == 0);
  CHECK(world.status("stopped").state == State::off);
  CHECK(world.status("wanted").pid == wanted);
  world.until_state("dies", State::ready);
  CHECK(world.status("dies").pid != dies);
  CHECK(world.status("dies").restarts == 1);
  CHECK(world.status("dies").last_exit == "ended, nobody saw how");

  // The end of an adopted process is noticed too.
  REQUIRE(::kill(lives, SIGKILL) == 0);
  world.until([&] {
    return world.status("lives").state == State::ready && world.status("lives").pid != lives;
  });
  CHECK_FALSE(world.status("lives").adopted);
  CHECK(world.status("lives").restarts == 1);
}

TEST_CASE("supervise/supervisor: a running service whose file broke or went is not forgotten") {
  World world;
  world.service("broken", kLives);
  world.service("removed", kLives);
  world.start();
  world.until_state("broken", State::ready);
  world.until_state("removed", State::ready);
  const auto broken = world.status("broken").pid;
  const auto removed = world.status("removed").pid;
  world.die();
  world.write("broken", "{");
  world.remove("removed");
  world.start();
  world.until_state("broken", State::ready);
  CHECK(world.status("broken").pid == broken);
  CHECK(world.status("broken").notes.back().text.find("broken.json: line 1") != std::string::npos);
  world.until([&] { return !world.supervisor->status("removed").has_value(); });
  int status = 0;
  CHECK(::waitpid(removed, &status, 0) == removed);
  CHECK(WIFSIGNALED(status));
}

TEST_CASE("supervise/supervisor: the ordered stop goes against the needs, after before_shutdown") {
  World world;
  const std::string trace = world.path("trace");
  const auto script = [&](const std::string& name) {
    return quoted("trap 'echo " + name + " >> " + trace + "; exit 0' TERM; : > " +
                  world.path(name) + "; while :; do sleep 0.05; done");
  };
  const auto ready = [&](const std::string& name) {
    return R"("ready":{"file":{"path":")" + world.path(name) + "\"}}";
  };
  world.service("base", script("base"), ready("base"));
  world.service(
      "middle", script("middle"),
      ready("middle") +
          R"(,"needs":["base"],"stop":{"before_shutdown":[["/bin/sh","-c","echo before >> )" +
          trace + "\"]]}");
  world.service("top", script("top"), ready("top") + R"(,"needs":["middle"])");
  world.start();
  world.until_state("top", State::ready);
  bool done = false;
  world.supervisor->shutdown([&] {
    done = true;
    world.loop.stop();
  });
  CHECK(world.supervisor->start_service("top").error().code == EBUSY);
  world.until([&] { return done; });
  CHECK(*file::read(trace) == "top\nbefore\nmiddle\nbase\n");
  world.supervisor.reset();
}

TEST_CASE("supervise/supervisor: what ignores its stop signal is killed at the deadline") {
  World world;
  world.service("deaf",
                quoted("trap '' TERM; : > " + world.path("up") + "; while :; do sleep 0.05; done"),
                R"("stop":{"timeout_s":1},"ready":{"file":{"path":")" + world.path("up") + "\"}}");
  world.start();
  world.until_state("deaf", State::ready);
  REQUIRE(world.supervisor->stop_service("deaf").ok());
  world.until_state("deaf", State::off);
  // Changes within one turn are told once, so the history may not have the state between.
  CHECK(world.status("deaf").last_exit == "was killed by SIGKILL");
}

TEST_CASE("supervise/supervisor: service files are read again") {
  World world;
  world.service("same", kLives);
  world.service("changed", kLives);
  world.service("removed", kLives);
  world.service("enabled", kLives, R"("enabled":false)");
  world.write("broken", "{}");
  world.start();
  for (const char* name : {"same", "changed", "removed"}) world.until_state(name, State::ready);
  CHECK(world.status("broken").state == State::invalid);
  CHECK(world.status("broken").reason.find("broken.json: /name: is missing") != std::string::npos);
  CHECK(world.supervisor->start_service("broken").error().code == EINVAL);
  const auto same = world.status("same").pid;
  const auto changed = world.status("changed").pid;

  world.service("changed", kLives, R"("description":"new")");
  world.service("broken", kLives);
  world.service("fresh", kLives);
  world.service("enabled", kLives);
  world.remove("removed");
  REQUIRE(world.supervisor->reload().ok());
  world.until([&] { return !world.supervisor->status("removed").has_value(); });
  world.until_state("fresh", State::ready);
  world.until_state("enabled", State::ready);
  world.until_state("broken", State::ready);
  CHECK(world.status("same").pid == same);
  CHECK(world.status("changed").pid == changed);
  CHECK(world.status("changed").notes ==
        std::vector<Note>{{false, "its file has changed: restart needed"}});
  REQUIRE(world.supervisor->restart_service("changed").ok());
  world.until([&] {
    return world.status("changed").state == State::ready && world.status("changed").pid != changed;
  });
  CHECK(world.status("changed").description == "new");
  CHECK(world.status("changed").notes.empty());
}

TEST_CASE("supervise/supervisor: needs that can't be met are one service's trouble") {
  World world;
  world.service("good", kLives);
  world.service("lost", kLives, R"("needs":["nobody"])");
  world.service("round", kLives, R"("needs":["round"])");
  world.start();
  world.until_state("good", State::ready);
  CHECK(world.status("lost").state == State::invalid);
  CHECK(world.status("lost").reason == "needs \"nobody\", which no service file describes");
  CHECK(world.status("round").reason == "can never start: round needs round");
  world.service("nobody", kLives);
  REQUIRE(world.supervisor->reload().ok());
  world.until_state("lost", State::ready);
}

TEST_CASE(
    "supervise/supervisor: prepare runs before each start, its lines are notes, its failure a "
    "reason") {
  World world;
  world.service(
      "good", kLives,
      R"("prepare":[["/bin/sh","-c","echo one key dropped"],["/bin/sh","-c","echo warning: two"]])");
  world.service(
      "bad", kLives,
      R"("prepare":[["/bin/sh","-c","echo disk is full; exit 1"]],"restart":{"delay_ms":10,"limit":2})");
  world.start();
  world.until_state("good", State::ready);
  CHECK(world.status("good").notes == std::vector<Note>{{false, "one key dropped"}, {true, "two"}});
  world.until_state("bad", State::failed);
  CHECK(world.status("bad").reason.find("sh exited with code 1: disk is full") !=
        std::string::npos);
}

TEST_CASE("supervise/supervisor: a socket's connect, its loss, and the way back") {
  World world;
  const std::string socket = world.path("s.sock");
  world.service("server", kLives,
                R"("restart":{"delay_ms":10},"ready":{"unix":{"socket":")" + socket + "\"}}");
  world.start();
  world.until([&] {
    return world.status("server").state == State::starting && world.status("server").pid != 0;
  });
  auto listening = io::listen_unix(socket, 0600);
  REQUIRE(listening.ok());
  world.until_state("server", State::ready);
  CHECK(world.status("server").socket == socket);
  REQUIRE(::unlink(socket.c_str()) == 0);
  world.until([&] { return world.status("server").state != State::ready; });
  CHECK(world.status("server").reason == "its socket " + socket + " vanished");
  listening = io::listen_unix(socket, 0600);
  REQUIRE(listening.ok());
  world.until_state("server", State::ready);
  CHECK(world.status("server").restarts == 1);
}

TEST_CASE("supervise/supervisor: hanging in its start is seen, named and tried again") {
  World world;
  world.service(
      "hangs", kLives,
      R"("ready":{"unix":{"socket":"/nowhere/s.sock"},"timeout_s":1},"restart":{"delay_ms":10,"limit":1})");
  world.start();
  world.until(
      [&] { return world.status("hangs").reason.find("/nowhere/s.sock") != std::string::npos; });
  world.until_state("hangs", State::failed);
  CHECK(world.status("hangs").reason.find("was not ready within 1 s") != std::string::npos);
}

TEST_CASE("supervise/supervisor: readiness by command") {
  World world;
  world.service(
      "slow", quoted("sleep 0.1; : > " + world.path("up") + "; exec sleep 1000"),
      R"("ready":{"command":{"argv":["/bin/sh","-c","test -e )" + world.path("up") + "\"]}}");
  world.start();
  world.until_state("slow", State::ready);
  CHECK(::access(world.path("up").c_str(), F_OK) == 0);
}

TEST_CASE("supervise/supervisor: lines are kept and followed") {
  World world;
  world.service("talks",
                quoted("echo one; read x < " + world.path("go") + "; echo two; exec sleep 1000"));
  REQUIRE(::mkfifo(world.path("go").c_str(), 0600) == 0);
  world.start();
  std::vector<std::string> followed;
  auto subscription = world.supervisor->follow("talks", [&](std::string_view line) {
    followed.emplace_back(line);
    world.loop.stop();
  });
  REQUIRE(subscription.ok());
  world.until([&] { return followed.size() == 1; });
  world.supervisor->set_log_limits({4, 2});  // the next line doesn't fit any more
  const UniqueFd go(::open(world.path("go").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(file::write_all(go.get(), "x\n").ok());
  world.until([&] { return followed.size() == 2; });
  CHECK(followed == std::vector<std::string>{"one", "two"});
  CHECK(*world.supervisor->logs("talks", 1) == std::vector<std::string>{"two"});
  CHECK(*file::read(world.path("data/log/talks.log")) == "two\n");
  CHECK(*file::read(world.path("data/log/talks.log.1")) == "one\n");
}

TEST_CASE("supervise/supervisor: without a directory of services it says so") {
  World world;
  REQUIRE(::rmdir(world.path("etc/services.d").c_str()) == 0);
  Supervisor::Options options;
  options.directories = {world.path("run"), world.path("data"), world.path("etc")};
  Supervisor supervisor(world.loop, world.store, options);
  const auto started = supervisor.start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("etc/services.d") != std::string::npos);
}

TEST_CASE("supervise/exit_reports: what init told is found by pid and start time") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd write_end(ends[1]);
  io::Loop loop;
  int arrivals = 0;
  ExitReports reports(loop, UniqueFd(ends[0]), [&] { ++arrivals; });
  CHECK(reports.available());
  const fd_store::ExitReport report{42, 3 << 8, 777};
  REQUIRE(file::write_all(write_end.get(), {reinterpret_cast<const char*>(&report), sizeof report})
              .ok());
  causeway::test::settle(loop);
  CHECK(arrivals == 1);
  CHECK(reports.find(42, 777) == process::Exit::code(3));
  CHECK_FALSE(reports.find(42, 778).has_value());
  CHECK_FALSE(reports.find(43, 777).has_value());
  const ExitReports none(loop, UniqueFd(), [] {});
  CHECK_FALSE(none.available());
}

TEST_CASE("supervise/state_file: a state survives its file") {
  SavedState state;
  state.wanted = false;
  state.restarts = 3;
  state.started_at_ms = 1234567890123;
  state.ready_at_ms = 1234567890456;
  state.last_exit = "was killed by SIGKILL";
  state.notes = {"a", "b"};
  CHECK(parse_saved_state(to_json(state)).value() == state);
  CHECK(parse_saved_state(to_json(SavedState{})).value() == SavedState{});
  for (const char* bad : {"", "[]", R"({"restarts":-1})", R"({"unknown":1})"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_saved_state(bad).ok());
  }
}
