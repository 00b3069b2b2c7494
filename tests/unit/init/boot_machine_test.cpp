#include "init/boot_machine.h"

#include <doctest/doctest.h>

#include <iterator>

using namespace causeway::init;

namespace {

using State = Boot::State;
using Event = BootEvent;
using Action = BootAction;

constexpr Milliseconds kNow = 100000;
constexpr Milliseconds kStopTimeout = 60000;

Boot in(State state, Milliseconds due, unsigned failures = 0, Milliseconds started = 0) {
  Boot boot;
  boot.state = state;
  boot.due = due;
  boot.failures = failures;
  boot.started = started;
  boot.stop_timeout = kStopTimeout;
  return boot;
}

}  // namespace

TEST_CASE("init/boot_machine: every state and every event") {
  struct Case {
    State state;
    Event event;
    State next;
    Action action;
    Milliseconds due;
  };
  constexpr Milliseconds kDue = kNow + 7;  // of the state before
  const Case cases[] = {
      {State::waiting, Event::agent_started, State::running, Action::none, kNever},
      {State::waiting, Event::start_failed, State::waiting, Action::none, kNow},
      {State::waiting, Event::agent_done, State::waiting, Action::none, kDue},
      {State::waiting, Event::agent_died, State::waiting, Action::none, kDue},
      {State::waiting, Event::stop_asked, State::terminating, Action::terminate_all,
       kNow + kStopTimeout},
      {State::waiting, Event::due, State::waiting, Action::start_agent, kNever},
      {State::waiting, Event::nobody_left, State::waiting, Action::none, kDue},

      {State::running, Event::agent_started, State::running, Action::none, kDue},
      {State::running, Event::start_failed, State::running, Action::none, kDue},
      {State::running, Event::agent_done, State::terminating, Action::terminate_all,
       kNow + kTermGrace},
      {State::running, Event::agent_died, State::waiting, Action::none, kNow},
      {State::running, Event::stop_asked, State::stopping, Action::stop_agent, kNow + kStopTimeout},
      {State::running, Event::due, State::running, Action::none, kDue},
      {State::running, Event::nobody_left, State::running, Action::none, kDue},

      {State::stopping, Event::agent_started, State::stopping, Action::none, kDue},
      {State::stopping, Event::start_failed, State::stopping, Action::none, kDue},
      {State::stopping, Event::agent_done, State::terminating, Action::terminate_all,
       kNow + kTermGrace},
      {State::stopping, Event::agent_died, State::terminating, Action::terminate_all,
       kNow + kTermGrace},
      {State::stopping, Event::stop_asked, State::stopping, Action::none, kDue},
      {State::stopping, Event::due, State::terminating, Action::terminate_all, kNow + kTermGrace},
      {State::stopping, Event::nobody_left, State::stopping, Action::none, kDue},

      {State::terminating, Event::agent_started, State::terminating, Action::none, kDue},
      {State::terminating, Event::start_failed, State::terminating, Action::none, kDue},
      {State::terminating, Event::agent_done, State::terminating, Action::none, kDue},
      {State::terminating, Event::agent_died, State::terminating, Action::none, kDue},
      {State::terminating, Event::stop_asked, State::terminating, Action::none, kDue},
      {State::terminating, Event::due, State::killing, Action::kill_all, kNow + kKillGrace},
      {State::terminating, Event::nobody_left, State::finished, Action::finish, kNever},

      {State::killing, Event::agent_started, State::killing, Action::none, kDue},
      {State::killing, Event::start_failed, State::killing, Action::none, kDue},
      {State::killing, Event::agent_done, State::killing, Action::none, kDue},
      {State::killing, Event::agent_died, State::killing, Action::none, kDue},
      {State::killing, Event::stop_asked, State::killing, Action::none, kDue},
      {State::killing, Event::due, State::finished, Action::finish, kNever},
      {State::killing, Event::nobody_left, State::finished, Action::finish, kNever},

      {State::finished, Event::agent_started, State::finished, Action::none, kDue},
      {State::finished, Event::start_failed, State::finished, Action::none, kDue},
      {State::finished, Event::agent_done, State::finished, Action::none, kDue},
      {State::finished, Event::agent_died, State::finished, Action::none, kDue},
      {State::finished, Event::stop_asked, State::finished, Action::none, kDue},
      {State::finished, Event::due, State::finished, Action::none, kDue},
      {State::finished, Event::nobody_left, State::finished, Action::none, kDue},
  };
  CHECK(std::size(cases) == 6 * 7);
  for (const auto& c : cases) {
    CAPTURE(static_cast<int>(c.state));
    CAPTURE(static_cast<int>(c.event));
    const auto step = advance(in(c.state, kDue), c.event, kNow);
    CHECK(step.next.state == c.next);
    CHECK(step.action == c.action);
    CHECK(step.next.due == c.due);
  }
}

TEST_CASE("init/boot_machine: the first restart is immediate, then delays double up to 5 s") {
  const Milliseconds expected[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
  for (unsigned i = 0; i < std::size(expected); ++i) CHECK(restart_delay(i) == expected[i]);
  CHECK(restart_delay(4000000000U) == 5000);
}

TEST_CASE("init/boot_machine: an agent that dies young counts, one that lived 10 s starts afresh") {
  const auto young = advance(in(State::running, kNever, 3, kNow - 9999), Event::agent_died, kNow);
  CHECK(young.next.failures == 4);
  CHECK(young.next.due == kNow + 400);
  const auto old = advance(in(State::running, kNever, 3, kNow - 10000), Event::agent_died, kNow);
  CHECK(old.next.failures == 1);
  CHECK(old.next.due == kNow);
}

TEST_CASE(
    "init/boot_machine: an agent that dies in the stop leaves the rest of its time to the others") {
  const auto early = advance(in(State::stopping, kNow + 20000), Event::agent_died, kNow);
  CHECK(early.next.due == kNow + 20000);
  const auto late = advance(in(State::stopping, kNow + 1), Event::agent_died, kNow);
  CHECK(late.next.due == kNow + kTermGrace);
}

TEST_CASE("init/boot_machine: a stop timeout of nothing still leaves the grace") {
  Boot boot = in(State::waiting, kNow);
  boot.stop_timeout = 0;
  CHECK(advance(boot, Event::stop_asked, kNow).next.due == kNow + kTermGrace);
}
