#include "supervise/service_machine.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "supervise/backoff.h"

using namespace causeway::supervise;

namespace {

constexpr std::array kStates = {State::off,         State::waiting,  State::starting,
                                State::ready,       State::stopping, State::killing,
                                State::backing_off, State::failed,   State::invalid};
constexpr std::array kEvents = {
    EventKind::start,      EventKind::stop,           EventKind::sleep,
    EventKind::wake,       EventKind::restart,        EventKind::adopted,
    EventKind::prepared,   EventKind::prepare_failed, EventKind::needs_ready,
    EventKind::needs_lost, EventKind::spawn_failed,   EventKind::answered,
    EventKind::ended,      EventKind::lost,           EventKind::timer,
    EventKind::invalidate};

const char* event_name(EventKind kind) {
  switch (kind) {
    case EventKind::start:
      return "start";
    case EventKind::stop:
      return "stop";
    case EventKind::sleep:
      return "sleep";
    case EventKind::wake:
      return "wake";
    case EventKind::restart:
      return "restart";
    case EventKind::adopted:
      return "adopted";
    case EventKind::prepared:
      return "prepared";
    case EventKind::prepare_failed:
      return "prepare_failed";
    case EventKind::needs_ready:
      return "needs_ready";
    case EventKind::needs_lost:
      return "needs_lost";
    case EventKind::spawn_failed:
      return "spawn_failed";
    case EventKind::answered:
      return "answered";
    case EventKind::ended:
      return "ended";
    case EventKind::lost:
      return "lost";
    case EventKind::timer:
      return "timer";
    case EventKind::invalidate:
      return "invalidate";
  }
  return "";
}

std::string actions_text(const std::vector<Action>& actions) {
  std::string out;
  for (const auto& action : actions) {
    if (!out.empty()) out += ' ';
    switch (action.kind) {
      case ActionKind::prepare:
        out += "prepare";
        break;
      case ActionKind::cancel_prepare:
        out += "cancel_prepare";
        break;
      case ActionKind::spawn:
        out += "spawn";
        break;
      case ActionKind::probe:
        out += "probe";
        break;
      case ActionKind::end_probe:
        out += "end_probe";
        break;
      case ActionKind::serve:
        out += "serve";
        break;
      case ActionKind::terminate:
        out += "terminate";
        break;
      case ActionKind::kill:
        out += "kill";
        break;
      case ActionKind::arm:
        out += "arm:" + std::to_string(action.delay_ms);
        break;
      case ActionKind::disarm:
        out += "disarm";
        break;
    }
  }
  return out;
}

ServiceSpec spec_with_prepare() {
  ServiceSpec spec;
  spec.name = "engine";
  spec.ready.kind = ReadyRule::Kind::socket;
  spec.prepare = {{"/bin/true"}};
  return spec;
}

// In each state as it typically is.
ServiceState typical(State state) {
  ServiceState s;
  s.state = state;
  s.reason = "before";
  s.needs_ready = true;
  s.prepared = state != State::off && state != State::waiting;
  s.was_ready = state == State::ready;
  return s;
}

// What every pair does: the new state and the actions, with "x" as every event's detail. `-` is:
// stays, and does nothing.
struct Row {
  State from;
  EventKind event;
  const char* to;
};
constexpr Row kTable[] = {
    {State::off, EventKind::start, "waiting: disarm prepare"},
    {State::off, EventKind::stop, "off: disarm"},
    {State::off, EventKind::sleep, "-"},  // wanted by nobody
    {State::off, EventKind::wake, "-"},   // not asleep
    {State::off, EventKind::restart, "waiting: disarm prepare"},
    {State::off, EventKind::adopted, "starting: probe arm:60000"},
    {State::off, EventKind::prepared, "-"},
    {State::off, EventKind::prepare_failed, "-"},
    {State::off, EventKind::needs_ready, "-"},
    {State::off, EventKind::needs_lost, "-"},
    {State::off, EventKind::spawn_failed, "-"},
    {State::off, EventKind::answered, "-"},
    {State::off, EventKind::ended, "-"},
    {State::off, EventKind::lost, "-"},
    {State::off, EventKind::timer, "-"},
    {State::off, EventKind::invalidate, "invalid: disarm"},

    {State::waiting, EventKind::start, "-"},
    {State::waiting, EventKind::stop, "off: cancel_prepare disarm"},
    {State::waiting, EventKind::sleep, "off: cancel_prepare disarm"},
    {State::waiting, EventKind::wake, "-"},
    {State::waiting, EventKind::restart, "-"},
    {State::waiting, EventKind::adopted, "-"},
    {State::waiting, EventKind::prepared, "starting: spawn probe arm:60000"},
    {State::waiting, EventKind::prepare_failed, "backing-off: arm:200"},
    {State::waiting, EventKind::needs_ready, "-"},  // not prepared yet
    {State::waiting, EventKind::needs_lost, "-"},
    {State::waiting, EventKind::spawn_failed, "-"},
    {State::waiting, EventKind::answered, "-"},
    {State::waiting, EventKind::ended, "-"},
    {State::waiting, EventKind::lost, "-"},
    {State::waiting, EventKind::timer, "-"},
    {State::waiting, EventKind::invalidate, "invalid: cancel_prepare disarm"},

    {State::starting, EventKind::start, "-"},
    {State::starting, EventKind::stop, "stopping: end_probe terminate arm:30000"},
    {State::starting, EventKind::sleep, "stopping: end_probe terminate arm:30000"},
    {State::starting, EventKind::wake, "-"},
    {State::starting, EventKind::restart, "stopping: end_probe terminate arm:30000"},
    {State::starting, EventKind::adopted, "-"},
    {State::starting, EventKind::prepared, "-"},
    {State::starting, EventKind::prepare_failed, "-"},
    {State::starting, EventKind::needs_ready, "-"},
    {State::starting, EventKind::needs_lost, "-"},
    {State::starting, EventKind::spawn_failed, "backing-off: end_probe arm:200"},
    {State::starting, EventKind::answered, "ready: serve arm:30000"},
    {State::starting, EventKind::ended, "backing-off: end_probe arm:200"},
    {State::starting, EventKind::lost, "-"},
    {State::starting, EventKind::timer, "stopping: end_probe terminate arm:30000"},
    {State::starting, EventKind::invalidate, "-"},

    {State::ready, EventKind::start, "-"},
    {State::ready, EventKind::stop, "stopping: end_probe terminate arm:30000"},
    {State::ready, EventKind::sleep, "stopping: end_probe terminate arm:30000"},
    {State::ready, EventKind::wake, "-"},
    {State::ready, EventKind::restart, "stopping: end_probe terminate arm:30000"},
    {State::ready, EventKind::adopted, "-"},
    {State::ready, EventKind::prepared, "-"},
    {State::ready, EventKind::prepare_failed, "-"},
    {State::ready, EventKind::needs_ready, "-"},
    {State::ready, EventKind::needs_lost, "-"},
    {State::ready, EventKind::spawn_failed, "-"},
    {State::ready, EventKind::answered, "-"},
    {State::ready, EventKind::ended, "backing-off: end_probe arm:200"},
    {State::ready, EventKind::lost, "stopping: end_probe terminate arm:30000"},
    {State::ready, EventKind::timer, "-"},
    {State::ready, EventKind::invalidate, "-"},

    {State::stopping, EventKind::start, "-"},
    {State::stopping, EventKind::stop, "-"},
    {State::stopping, EventKind::sleep, "-"},  // a person's stop
    {State::stopping, EventKind::wake, "-"},
    {State::stopping, EventKind::restart, "-"},
    {State::stopping, EventKind::adopted, "-"},
    {State::stopping, EventKind::prepared, "-"},
    {State::stopping, EventKind::prepare_failed, "-"},
    {State::stopping, EventKind::needs_ready, "-"},
    {State::stopping, EventKind::needs_lost, "-"},
    {State::stopping, EventKind::spawn_failed, "-"},
    {State::stopping, EventKind::answered, "-"},
    {State::stopping, EventKind::ended, "off: disarm"},
    {State::stopping, EventKind::lost, "-"},
    {State::stopping, EventKind::timer, "killing: disarm kill"},
    {State::stopping, EventKind::invalidate, "-"},

    {State::killing, EventKind::start, "-"},
    {State::killing, EventKind::stop, "-"},
    {State::killing, EventKind::sleep, "-"},
    {State::killing, EventKind::wake, "-"},
    {State::killing, EventKind::restart, "-"},
    {State::killing, EventKind::adopted, "-"},
    {State::killing, EventKind::prepared, "-"},
    {State::killing, EventKind::prepare_failed, "-"},
    {State::killing, EventKind::needs_ready, "-"},
    {State::killing, EventKind::needs_lost, "-"},
    {State::killing, EventKind::spawn_failed, "-"},
    {State::killing, EventKind::answered, "-"},
    {State::killing, EventKind::ended, "off: disarm"},
    {State::killing, EventKind::lost, "-"},
    {State::killing, EventKind::timer, "-"},
    {State::killing, EventKind::invalidate, "-"},

    {State::backing_off, EventKind::start, "waiting: disarm prepare"},
    {State::backing_off, EventKind::stop, "off: disarm"},
    {State::backing_off, EventKind::sleep, "off: disarm"},
    {State::backing_off, EventKind::wake, "-"},
    {State::backing_off, EventKind::restart, "waiting: disarm prepare"},
    {State::backing_off, EventKind::adopted, "-"},
    {State::backing_off, EventKind::prepared, "-"},
    {State::backing_off, EventKind::prepare_failed, "-"},
    {State::backing_off, EventKind::needs_ready, "-"},
    {State::backing_off, EventKind::needs_lost, "-"},
    {State::backing_off, EventKind::spawn_failed, "-"},
    {State::backing_off, EventKind::answered, "-"},
    {State::backing_off, EventKind::ended, "-"},
    {State::backing_off, EventKind::lost, "-"},
    {State::backing_off, EventKind::timer, "waiting: disarm prepare"},
    {State::backing_off, EventKind::invalidate, "invalid: disarm"},

    {State::failed, EventKind::start, "waiting: disarm prepare"},
    {State::failed, EventKind::stop, "off: disarm"},
    {State::failed, EventKind::sleep, "-"},
    {State::failed, EventKind::wake, "-"},
    {State::failed, EventKind::restart, "waiting: disarm prepare"},
    {State::failed, EventKind::adopted, "-"},
    {State::failed, EventKind::prepared, "-"},
    {State::failed, EventKind::prepare_failed, "-"},
    {State::failed, EventKind::needs_ready, "-"},
    {State::failed, EventKind::needs_lost, "-"},
    {State::failed, EventKind::spawn_failed, "-"},
    {State::failed, EventKind::answered, "-"},
    {State::failed, EventKind::ended, "-"},
    {State::failed, EventKind::lost, "-"},
    {State::failed, EventKind::timer, "-"},
    {State::failed, EventKind::invalidate, "invalid: disarm"},

    {State::invalid, EventKind::start, "-"},
    {State::invalid, EventKind::stop, "-"},
    {State::invalid, EventKind::sleep, "-"},
    {State::invalid, EventKind::wake, "-"},
    {State::invalid, EventKind::restart, "-"},
    {State::invalid, EventKind::adopted, "-"},
    {State::invalid, EventKind::prepared, "-"},
    {State::invalid, EventKind::prepare_failed, "-"},
    {State::invalid, EventKind::needs_ready, "-"},
    {State::invalid, EventKind::needs_lost, "-"},
    {State::invalid, EventKind::spawn_failed, "-"},
    {State::invalid, EventKind::answered, "-"},
    {State::invalid, EventKind::ended, "-"},
    {State::invalid, EventKind::lost, "-"},
    {State::invalid, EventKind::timer, "-"},
    {State::invalid, EventKind::invalidate, "invalid: disarm"},
};

// A service taken through events; keeps the actions of the last.
struct Life {
  ServiceSpec spec = spec_with_prepare();
  ServiceState s;
  std::uint64_t now = 1000;
  std::string last;

  Life& event(EventKind kind, std::string detail = "x", bool clean = false) {
    Step done = step(spec, s, {kind, std::move(detail), clean}, {now, 0});
    s = std::move(done.state);
    last = actions_text(done.actions);
    return *this;
  }
  Life& up() {
    return event(EventKind::needs_ready)
        .event(EventKind::start)
        .event(EventKind::prepared)
        .event(EventKind::answered);
  }
};

}  // namespace

TEST_CASE("supervise/service_machine: every pair of state and event") {
  CHECK(std::size(kTable) == kStates.size() * kEvents.size());
  std::size_t at = 0;
  for (const State from : kStates) {
    for (const EventKind kind : kEvents) {
      const Row& row = kTable[at++];
      CAPTURE(state_name(from));
      CAPTURE(event_name(kind));
      REQUIRE(row.from == from);
      REQUIRE(row.event == kind);
      const auto done = step(spec_with_prepare(), typical(from), {kind, "x"}, {1000, 0});
      const bool nothing = done.state.state == from && done.actions.empty();
      std::string got(nothing ? "-" : state_name(done.state.state));
      if (!nothing) got.append(": ").append(actions_text(done.actions));
      CHECK(got == row.to);
      // Invariants of all pairs.
      int arms = 0;
      for (const auto& action : done.actions) arms += action.kind == ActionKind::arm;
      CHECK(arms <= 1);
      const State to = done.state.state;
      CHECK((done.state.asleep == (kind == EventKind::sleep && to == State::off && from != to)));
      if (to == State::backing_off && from != to) CHECK(arms == 1);  // something must bring it back
      if (has_process(from) && !has_process(to))
        CHECK((kind == EventKind::ended || kind == EventKind::spawn_failed));
    }
  }
}

TEST_CASE("supervise/service_machine: it waits for its commands and its needs, in any order") {
  Life a;
  a.event(EventKind::start).event(EventKind::prepared);
  CHECK(a.s.state == State::waiting);
  a.event(EventKind::needs_ready);
  CHECK(a.s.state == State::starting);
  CHECK(a.last == "spawn probe arm:60000");
  Life b;
  b.event(EventKind::start).event(EventKind::needs_ready);
  CHECK(b.s.state == State::waiting);
  b.event(EventKind::needs_lost).event(EventKind::prepared);
  CHECK(b.s.state == State::waiting);
  b.event(EventKind::needs_ready);
  CHECK(b.s.state == State::starting);
  Life c;
  c.spec.prepare.clear();
  c.event(EventKind::needs_ready).event(EventKind::start);
  CHECK(c.last == "disarm spawn probe arm:60000");
}

TEST_CASE(
    "supervise/service_machine: starts that never become ready end in failed, with the reason") {
  Life life;
  life.event(EventKind::needs_ready).event(EventKind::start);
  for (int i = 1; i < 8; ++i) {
    life.event(EventKind::prepared).event(EventKind::ended, "exited with code 1");
    REQUIRE(life.s.state == State::backing_off);
    life.now += 1000;
    life.event(EventKind::timer);
  }
  life.event(EventKind::prepared).event(EventKind::ended, "exited with code 1");
  CHECK(life.s.state == State::failed);
  CHECK(life.s.reason == "8 starts failed within 120 s, the last: exited with code 1");
  CHECK(life.s.restarts == 7);
  // A request begins anew, with the full allowance.
  life.event(EventKind::start).event(EventKind::prepared).event(EventKind::ended, "again");
  CHECK(life.s.state == State::backing_off);
  CHECK(life.last == "end_probe arm:200");
}

TEST_CASE("supervise/service_machine: failed starts outside the window don't count") {
  Life life;
  life.event(EventKind::needs_ready).event(EventKind::start);
  for (int i = 0; i < 50; ++i) {
    life.event(EventKind::prepared).event(EventKind::ended);
    REQUIRE(life.s.state == State::backing_off);
    life.now += 20000;
    life.event(EventKind::timer);
  }
}

TEST_CASE(
    "supervise/service_machine: a daemon that worked and was killed always comes back, soon") {
  Life life;
  life.up();
  for (int i = 0; i < 20; ++i) {
    life.event(EventKind::ended, "was killed by SIGKILL");
    REQUIRE(life.s.state == State::backing_off);
    if (i >= 3) CHECK(life.last == "end_probe arm:1600");
    life.event(EventKind::timer).event(EventKind::prepared).event(EventKind::answered);
    REQUIRE(life.s.state == State::ready);
    life.now += 100;
  }
  CHECK(life.s.restarts == 20);
}

TEST_CASE("supervise/service_machine: without a probe, only a healthy time shows that it works") {
  Life life;
  life.spec.ready.kind = ReadyRule::Kind::none;
  life.up();
  for (int i = 1; i < 8; ++i) {
    life.event(EventKind::ended);
    REQUIRE(life.s.state == State::backing_off);
    life.event(EventKind::timer).event(EventKind::prepared).event(EventKind::answered);
  }
  life.event(EventKind::ended);
  CHECK(life.s.state == State::failed);
  life.event(EventKind::start).event(EventKind::prepared).event(EventKind::answered);
  life.event(EventKind::timer).event(EventKind::ended);
  CHECK(life.s.state == State::backing_off);
  CHECK(life.s.failed_at.empty());
}

TEST_CASE("supervise/service_machine: after a healthy time the delay is short again") {
  Life life;
  life.up().event(EventKind::ended).event(EventKind::timer).event(EventKind::prepared);
  life.event(EventKind::answered);
  CHECK(life.last == "serve arm:30000");
  life.event(EventKind::timer);
  CHECK(life.s.state == State::ready);
  life.event(EventKind::ended);
  CHECK(life.last == "end_probe arm:200");
}

TEST_CASE("supervise/service_machine: hanging in its start is a failed start") {
  Life life;
  life.event(EventKind::needs_ready).event(EventKind::start).event(EventKind::prepared);
  life.event(EventKind::timer);
  CHECK(life.s.state == State::stopping);
  CHECK(life.s.reason == "was not ready within 60 s: x");
  life.event(EventKind::ended, "was killed by SIGTERM");
  CHECK(life.s.state == State::backing_off);
  CHECK(life.s.reason == "was not ready within 60 s: x");
  CHECK(life.s.failed_at.size() == 1);
}

TEST_CASE("supervise/service_machine: useless while it runs: stopped and started again") {
  Life life;
  life.up().event(EventKind::lost, "its socket vanished");
  CHECK(life.s.state == State::stopping);
  life.event(EventKind::ended);
  CHECK(life.s.state == State::backing_off);
  CHECK(life.s.reason == "its socket vanished");
  CHECK(life.s.failed_at.empty());  // it had been ready
}

TEST_CASE("supervise/service_machine: the last wish counts while it stops") {
  Life life;
  life.up().event(EventKind::stop, "stopped by request").event(EventKind::start);
  CHECK(life.s.state == State::stopping);
  life.event(EventKind::ended);
  CHECK(life.s.state == State::waiting);
  CHECK(life.s.restarts == 1);
  Life other;
  other.up().event(EventKind::restart).event(EventKind::stop, "stopped by request");
  other.event(EventKind::ended);
  CHECK(other.s.state == State::off);
  CHECK(other.s.reason == "stopped by request");
}

TEST_CASE("supervise/service_machine: sleep is no person's stop: a wake-up ends it") {
  Life life;
  life.up().event(EventKind::sleep, "nobody needs it");
  CHECK(life.s.state == State::stopping);
  CHECK_FALSE(life.s.asleep);
  life.event(EventKind::ended);
  CHECK(life.s.state == State::off);
  CHECK(life.s.reason == "nobody needs it");
  CHECK(life.s.asleep);
  life.event(EventKind::sleep, "again");
  CHECK(life.s.asleep);
  life.event(EventKind::wake, "somebody needs it");
  CHECK(life.s.state == State::waiting);
  CHECK(life.s.reason == "somebody needs it");
  CHECK_FALSE(life.s.asleep);
  CHECK(life.s.restarts == 0);
  CHECK(life.s.failed_at.empty());
  for (const EventKind kind : {EventKind::start, EventKind::restart, EventKind::stop}) {
    CAPTURE(event_name(kind));
    Life other;
    other.up().event(EventKind::sleep).event(EventKind::ended).event(kind, "by request");
    CHECK_FALSE(other.s.asleep);
    CHECK(other.s.reason == "by request");
    CHECK((other.s.state == State::off) == (kind == EventKind::stop));
    other.event(EventKind::wake);
    CHECK((other.s.state == State::off) == (kind == EventKind::stop));
  }
}

TEST_CASE("supervise/service_machine: sleep and wake-up while it stops, by what was to follow") {
  struct Case {
    AfterStop before;
    EventKind event;
    AfterStop after;
  };
  const Case cases[] = {
      {AfterStop::off, EventKind::sleep, AfterStop::off},
      {AfterStop::off, EventKind::wake, AfterStop::off},
      {AfterStop::sleep, EventKind::sleep, AfterStop::sleep},
      {AfterStop::sleep, EventKind::wake, AfterStop::start},
      {AfterStop::sleep, EventKind::stop, AfterStop::off},
      {AfterStop::sleep, EventKind::start, AfterStop::start},
      {AfterStop::sleep, EventKind::restart, AfterStop::start},
      {AfterStop::start, EventKind::sleep, AfterStop::sleep},
      {AfterStop::start, EventKind::wake, AfterStop::start},
      {AfterStop::back_off, EventKind::sleep, AfterStop::sleep},
      {AfterStop::back_off, EventKind::wake, AfterStop::back_off},
  };
  for (const State state : {State::stopping, State::killing}) {
    for (const auto& c : cases) {
      CAPTURE(state_name(state));
      CAPTURE(event_name(c.event));
      ServiceState before = typical(state);
      before.after_stop = c.before;
      const auto done = step(spec_with_prepare(), before, {c.event, "x"}, {1000, 0});
      CHECK(done.state.state == state);
      CHECK(done.state.after_stop == c.after);
      CHECK(done.actions.empty());
      const auto ended = step(spec_with_prepare(), done.state, {EventKind::ended}, {1000, 0});
      CHECK(ended.state.asleep == (c.after == AfterStop::sleep));
    }
  }
}

TEST_CASE("supervise/service_machine: what doesn't stop is killed, and said so") {
  Life life;
  life.up().event(EventKind::stop, "stopped by request").event(EventKind::timer);
  CHECK(life.s.state == State::killing);
  CHECK(life.s.reason == "stopped by request (killed: it did not stop within 30 s)");
  life.event(EventKind::ended);
  CHECK(life.s.state == State::off);
}

TEST_CASE("supervise/service_machine: restart policies") {
  Life on_failure;
  on_failure.spec.restart.policy = RestartRule::Policy::on_failure;
  on_failure.up().event(EventKind::ended, "exited with code 0", true);
  CHECK(on_failure.s.state == State::off);
  CHECK(on_failure.s.reason == "exited with code 0");
  on_failure.up().event(EventKind::ended, "exited with code 1");
  CHECK(on_failure.s.state == State::backing_off);
  Life never;
  never.spec.restart.policy = RestartRule::Policy::never;
  never.up().event(EventKind::ended, "exited with code 1");
  CHECK(never.s.state == State::failed);
  Life always;
  always.up().event(EventKind::ended, "exited with code 0", true);
  CHECK(always.s.state == State::backing_off);
}

TEST_CASE("supervise/service_machine: an adopted process must answer again") {
  Life life;
  life.event(EventKind::adopted);
  CHECK(life.s.state == State::starting);
  CHECK(life.last == "probe arm:60000");
  life.event(EventKind::answered);
  CHECK(life.s.state == State::ready);
  CHECK(life.s.restarts == 0);
}

TEST_CASE("supervise/backoff: doubles up to the most, less up to a quarter by chance") {
  CHECK(backoff_ms(0, 200, 10000, 0) == 200);
  CHECK(backoff_ms(1, 200, 10000, 0) == 400);
  CHECK(backoff_ms(5, 200, 10000, 0) == 6400);
  CHECK(backoff_ms(6, 200, 10000, 0) == 10000);
  CHECK(backoff_ms(4000000000U, 200, 10000, 0) == 10000);
  CHECK(backoff_ms(0, 200, 100, 0) == 100);
  for (unsigned attempt = 0; attempt < 10; ++attempt) {
    const auto full = backoff_ms(attempt, 200, 10000, 0);
    CHECK(backoff_ms(attempt, 200, 10000, 0.999999) >= full - full / 4);
    CHECK(backoff_ms(attempt, 200, 10000, 0.5) == full - full / 8);
  }
}
