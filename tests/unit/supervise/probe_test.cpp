#include "supervise/probe.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "../containers/scripted_engine.h"
#include "io/timer.h"

using namespace causeway;
using namespace causeway::supervise;

namespace {

struct Rig {
  explicit Rig(const std::string& socket) : reaper(engine.loop) {
    rule.kind = ReadyRule::Kind::http;
    rule.path = socket.empty() ? engine.socket() : socket;
    rule.target = "/_ping";
    probe.emplace(engine.loop, reaper, rule, std::vector<std::string>{}, [this] {
      ++answers;
      probe.reset();
      engine.loop.stop();
    });
  }
  // Until it answered, or the deadline of a failed test.
  void run() {
    io::Timer deadline(engine.loop);
    deadline.start(20'000, [this] { engine.loop.stop(); });
    while (answers == 0 && deadline.armed()) engine.loop.run();
  }

  test::ScriptedEngine engine;
  process::Reaper reaper;
  ReadyRule rule;
  int answers = 0;
  std::optional<Probe> probe;
};

}  // namespace

TEST_CASE("supervise/probe: a GET that is answered with 200 is ready, others are asked again") {
  Rig rig("");
  rig.engine.answers["GET /_ping"] = {503, "not yet"};
  std::string finding;
  rig.engine.on_call = [&](const std::string&) {
    if (rig.engine.asked.size() < 3) return;
    finding = rig.probe->finding();
    rig.engine.answers["GET /_ping"] = {200, "OK"};
  };
  rig.run();
  CHECK(rig.answers == 1);
  CHECK(rig.engine.asked.size() == 3);
  CHECK(finding == "GET /_ping: no answer yet");
}

TEST_CASE("supervise/probe: what it found is told") {
  Rig rig("");
  rig.engine.answers["GET /_ping"] = {503, "not yet"};
  rig.engine.settle();
  CHECK(rig.probe->finding() == "GET /_ping: answered 503");
  Rig lost("/nowhere/engine.sock");
  lost.engine.settle();
  CHECK(lost.probe->finding() ==
        "GET /_ping: connect /nowhere/engine.sock: No such file or directory");
  CHECK(lost.answers == 0);
}

TEST_CASE("supervise/probe: it waits for as long as the service takes") {
  Rig rig("");
  rig.engine.silent = true;
  rig.engine.settle();
  CHECK(rig.engine.asked.size() == 1);
  CHECK(rig.probe->finding() == "GET /_ping: no answer yet");
  rig.probe.reset();  // and may go meanwhile
  rig.engine.settle();
  CHECK(rig.answers == 0);
}

TEST_CASE("supervise/probe: a socket that comes between a refused connect and its news is seen") {
  // In each number of turns: one of them lies between the two.
  for (int turns = 0; turns < 6; ++turns) {
    CAPTURE(turns);
    test::ScriptedEngine place;
    Rig rig(place.folder + "/late.sock");
    rig.engine.answers["GET /_ping"] = {200, "OK"};
    for (int i = 0; i < turns; ++i) rig.engine.loop.turn();
    REQUIRE(::symlink(rig.engine.socket().c_str(), rig.rule.path.c_str()) == 0);
    rig.run();
    CHECK(rig.answers == 1);
  }
}
