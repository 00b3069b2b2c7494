#include "daemon/engine_view.h"

#include <doctest/doctest.h>

using namespace causeway::daemon;
using namespace causeway;

namespace {
supervise::ServiceSummary service(const char* name, supervise::State state, std::string reason = "",
                                  std::vector<std::string> needs = {}) {
  supervise::ServiceSummary out;
  out.name = name;
  out.state = state;
  out.reason = std::move(reason);
  out.needs = std::move(needs);
  return out;
}
}  // namespace

TEST_CASE("daemon/engine_view: ready, and something is wrong all the same") {
  using E = control_api::EngineState;
  using S = supervise::State;
  const std::vector<std::string> needs = {"containerd"};
  auto dockerd = service("dockerd", S::ready, "", needs);
  auto containerd = service("containerd", S::ready);
  CHECK(engine_view({containerd, dockerd}, "dockerd", false) == EngineView{E::ready, "", 0});
  auto silent = dockerd;
  silent.silent_ms = 12'400;
  CHECK(engine_view({containerd, silent}, "dockerd", false) ==
        EngineView{E::ready, "dockerd has not answered for 12 s", 12});
  auto hung = containerd;
  hung.silent_ms = 61'000;
  CHECK(engine_view({hung, dockerd}, "dockerd", false) ==
        EngineView{E::ready, "containerd, which dockerd needs, has not answered for 1 min", 0});
  // What it hangs in is more than that it hangs.
  CHECK(engine_view({hung, silent}, "dockerd", false) ==
        EngineView{E::ready, "containerd, which dockerd needs, has not answered for 1 min", 12});
  const auto dead = service("containerd", S::backing_off, "was killed by SIGKILL");
  CHECK(engine_view({dead, dockerd}, "dockerd", false) ==
        EngineView{E::ready,
                   "containerd, which dockerd needs, is backing-off: was killed by SIGKILL", 0});
  // A circle of needs has an end.
  containerd.needs = {"dockerd"};
  CHECK(engine_view({containerd, dockerd}, "dockerd", false).reason.empty());
}

TEST_CASE("daemon/engine_view: what clients are told in each state of the engine's service") {
  using E = control_api::EngineState;
  using S = supervise::State;
  struct Case {
    const char* name;
    std::vector<supervise::ServiceSummary> services;
    EngineView expected;
  };
  const std::vector<std::string> needs = {"containerd"};
  const Case cases[] = {
      {"none", {service("containerd", S::ready)}, {E::absent, ""}},
      {"ready", {service("dockerd", S::ready, "old news")}, {E::ready, ""}},
      {"starting", {service("dockerd", S::starting)}, {E::starting, "dockerd is starting"}},
      {"tried again",
       {service("dockerd", S::backing_off, "exited with code 1")},
       {E::starting, "dockerd will be started again: exited with code 1"}},
      {"on its way out",
       {service("dockerd", S::stopping, "restarted by request")},
       {E::starting, "dockerd is being stopped: restarted by request"}},
      {"stubborn", {service("dockerd", S::killing)}, {E::starting, "dockerd is being stopped"}},
      {"off",
       {service("dockerd", S::off, "stopped by request")},
       {E::down, "dockerd is off: stopped by request"}},
      {"failed", {service("dockerd", S::failed, "why")}, {E::down, "dockerd has failed: why"}},
      {"invalid",
       {service("dockerd", S::invalid, "/x: unknown key")},
       {E::down, "dockerd can't be started: /x: unknown key"}},
      {"prepares",
       {service("containerd", S::ready), service("dockerd", S::waiting, "", needs)},
       {E::starting, "dockerd is being prepared"}},
      {"its need starts",
       {service("containerd", S::starting), service("dockerd", S::waiting, "", needs)},
       {E::starting, "dockerd waits for containerd"}},
      {"its need has failed",
       {service("containerd", S::failed, "no disk"), service("dockerd", S::waiting, "", needs)},
       {E::down, "dockerd waits for containerd, which has failed: no disk"}},
      {"its need is off",
       {service("containerd", S::off), service("dockerd", S::waiting, "", needs)},
       {E::down, "dockerd waits for containerd, which is off"}},
      {"its need isn't there",
       {service("dockerd", S::waiting, "", needs)},
       {E::down, "dockerd waits for containerd, which is not configured"}},
      {"its need's need has failed",
       {service("a", S::failed, "x"), service("containerd", S::waiting, "", {"a"}),
        service("dockerd", S::waiting, "", needs)},
       {E::down, "containerd waits for a, which has failed: x"}},
      {"a circle",
       {service("containerd", S::waiting, "", {"dockerd"}),
        service("dockerd", S::waiting, "", needs)},
       {E::down, "dockerd waits for containerd, in a circle"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto view = engine_view(c.services, "dockerd", false);
    CHECK(control_api::name_of(view.state) == control_api::name_of(c.expected.state));
    CHECK(view.reason == c.expected.reason);
  }
}

TEST_CASE("daemon/engine_view: while everything is being stopped the engine is down") {
  const auto view = engine_view({service("dockerd", supervise::State::ready)}, "dockerd", true);
  CHECK(view.state == control_api::EngineState::down);
  CHECK(!view.reason.empty());
}
