#include "link/link_state.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>

using namespace causeway::shim;
using namespace causeway::shim::link;

namespace {

using Phase = LinkPhase;
using Kind = LinkEventKind;
using Do = LinkActionKind;

const LinkTimes kTimes;
constexpr LinkNow kNow{100'000, 0};

LinkState in(Phase phase) {
  LinkState state;
  state.phase = phase;
  state.up_since = kNow.ms - kTimes.lasting_ms;  // it has lasted
  return state;
}

// What runs, as the effects of the actions leave it: a model to hold the machine against.
bool needs_attach(Phase phase) {
  switch (phase) {
    case Phase::starting:
    case Phase::dialing:
    case Phase::greeting:
    case Phase::direct:
    case Phase::stdio:
    case Phase::rejoining:
      return true;
    case Phase::stopped:
    case Phase::holding:
    case Phase::waiting:
    case Phase::stopping:
      return false;
  }
  return false;
}

bool does(const LinkStep& stepped, Do kind) {
  for (const auto& action : stepped.actions)
    if (action.kind == kind) return true;
  return false;
}

struct Row {
  Phase from;
  Kind event;
  Phase to;
};

// Every pair that isn't here changes nothing.
const Row kRows[] = {
    {Phase::stopped, Kind::start, Phase::starting},
    {Phase::starting, Kind::stop, Phase::stopping},
    {Phase::starting, Kind::line, Phase::greeting},  // direct: its own test
    {Phase::starting, Kind::attach_failed, Phase::waiting},
    {Phase::starting, Kind::attach_ended, Phase::waiting},
    {Phase::starting, Kind::timer, Phase::waiting},
    {Phase::dialing, Kind::stop, Phase::stopping},
    {Phase::dialing, Kind::up, Phase::direct},
    {Phase::dialing, Kind::link_failed, Phase::greeting},
    {Phase::dialing, Kind::link_lost, Phase::greeting},
    {Phase::dialing, Kind::attach_failed, Phase::waiting},
    {Phase::dialing, Kind::attach_ended, Phase::waiting},
    {Phase::greeting, Kind::stop, Phase::stopping},
    {Phase::greeting, Kind::up, Phase::stdio},
    {Phase::greeting, Kind::link_failed, Phase::waiting},
    {Phase::greeting, Kind::link_lost, Phase::waiting},
    {Phase::greeting, Kind::attach_failed, Phase::waiting},
    {Phase::greeting, Kind::attach_ended, Phase::waiting},
    {Phase::direct, Kind::stop, Phase::stopping},
    {Phase::direct, Kind::link_failed, Phase::dialing},
    {Phase::direct, Kind::link_lost, Phase::dialing},
    {Phase::direct, Kind::attach_failed, Phase::holding},
    {Phase::direct, Kind::attach_ended, Phase::holding},
    {Phase::stdio, Kind::stop, Phase::stopping},
    {Phase::stdio, Kind::link_failed, Phase::waiting},
    {Phase::stdio, Kind::link_lost, Phase::waiting},
    {Phase::stdio, Kind::attach_failed, Phase::waiting},
    {Phase::stdio, Kind::attach_ended, Phase::waiting},
    {Phase::rejoining, Kind::stop, Phase::stopping},
    {Phase::rejoining, Kind::line, Phase::greeting},  // another agent; the same: its own test
    {Phase::rejoining, Kind::link_failed, Phase::starting},
    {Phase::rejoining, Kind::link_lost, Phase::starting},
    {Phase::rejoining, Kind::attach_failed, Phase::holding},
    {Phase::rejoining, Kind::attach_ended, Phase::holding},
    {Phase::rejoining, Kind::timer, Phase::holding},
    {Phase::holding, Kind::stop, Phase::stopping},
    {Phase::holding, Kind::link_failed, Phase::waiting},
    {Phase::holding, Kind::link_lost, Phase::waiting},
    {Phase::holding, Kind::resumed, Phase::rejoining},
    {Phase::holding, Kind::timer, Phase::rejoining},
    {Phase::waiting, Kind::start, Phase::starting},
    {Phase::waiting, Kind::stop, Phase::stopped},
    {Phase::waiting, Kind::resumed, Phase::starting},
    {Phase::waiting, Kind::timer, Phase::starting},
    {Phase::stopping, Kind::stop, Phase::stopped},
    {Phase::stopping, Kind::attach_failed, Phase::stopped},
    {Phase::stopping, Kind::attach_ended, Phase::stopped},
    {Phase::stopping, Kind::timer, Phase::stopped},
};

}  // namespace

TEST_CASE("host_shim/link/link_state: every event in every phase") {
  std::map<std::pair<Phase, Kind>, Phase> expected;
  for (const auto& row : kRows) expected[{row.from, row.event}] = row.to;
  for (const auto phase : kLinkPhases) {
    for (const auto kind : kLinkEvents) {
      CAPTURE(static_cast<int>(phase));
      CAPTURE(static_cast<int>(kind));
      const auto stepped = step(kTimes, in(phase), {kind, "why"}, kNow);
      const auto found = expected.find({phase, kind});
      const auto to = found == expected.end() ? phase : found->second;
      CHECK(stepped.state.phase == to);

      // A phase in which something must come has a timer, or waits for a report of an action that
      // always makes one.
      if (to != phase && (to == Phase::starting || to == Phase::rejoining || to == Phase::holding ||
                          to == Phase::waiting || to == Phase::stopping)) {
        // These two keep a timer that was armed before.
        const bool kept = (phase == Phase::rejoining && to == Phase::starting) ||
                          (phase == Phase::holding && to == Phase::waiting);
        CHECK(does(stepped, Do::arm) == !kept);
      }
      if (to != phase && to == Phase::dialing) CHECK(does(stepped, Do::dial));
      if (to != phase && to == Phase::greeting) CHECK(does(stepped, Do::greet));
      // attach runs exactly where it is needed.
      if (!needs_attach(phase) && needs_attach(to)) CHECK(does(stepped, Do::start_attach));
      if (needs_attach(phase) && !needs_attach(to) && to != Phase::stopping)
        CHECK(does(stepped, Do::end_attach));
      if (to == Phase::stopping && to != phase) CHECK(does(stepped, Do::say_farewell));
      if (to == Phase::stopped && to != phase) CHECK(does(stepped, Do::end_attach));
      // No link survives where there is none.
      if (is_up(phase) && !is_up(to) && to != Phase::stopping) CHECK(does(stepped, Do::drop_link));
      // Waking up sets the clock, now or with the next link.
      if (kind == Kind::resumed && phase != Phase::stopped && phase != Phase::stopping)
        CHECK((does(stepped, Do::step_clock) || stepped.state.clock_wanted));
      if (phase == Phase::stopping && kind == Kind::farewell_said)
        CHECK(stepped.actions == std::vector<LinkAction>{{Do::drop_link}, {Do::ask_attach}});
      else if (found == expected.end() && kind != Kind::resumed)
        CHECK(stepped.actions.empty());
    }
  }
}

TEST_CASE("host_shim/link/link_state: the direct transport first, where there can be one") {
  LinkEvent line{Kind::line, "", true};
  auto stepped = step(kTimes, in(Phase::starting), line, kNow);
  CHECK(stepped.state.phase == Phase::dialing);
  CHECK(does(stepped, Do::dial));
  stepped = step(kTimes, stepped.state, {Kind::link_failed, "no such family"}, kNow);
  CHECK(stepped.state.phase == Phase::greeting);
  CHECK(stepped.state.direct_reason == "no such family");
  stepped = step(kTimes, stepped.state, {Kind::up}, kNow);
  CHECK(stepped.state.phase == Phase::stdio);
  CHECK(stepped.state.direct_reason == "no such family");
  CHECK(stepped.state.reason.empty());
}

TEST_CASE("host_shim/link/link_state: a link outlives attach, unless another agent answers") {
  auto held = step(kTimes, in(Phase::direct), {Kind::attach_ended, "killed"}, kNow);
  CHECK(held.state.phase == Phase::holding);
  CHECK_FALSE(does(held, Do::drop_link));
  held = step(kTimes, held.state, {Kind::timer}, kNow);
  CHECK(held.state.phase == Phase::rejoining);
  auto same = step(kTimes, held.state, {Kind::line, "", true, true}, kNow);
  CHECK(same.state.phase == Phase::direct);
  CHECK_FALSE(does(same, Do::drop_link));
  auto other = step(kTimes, held.state, {Kind::line, "", true, false}, kNow);
  CHECK(other.state.phase == Phase::dialing);
  CHECK(does(other, Do::drop_link));
}

TEST_CASE("host_shim/link/link_state: a link that doesn't last is not dialed again at once") {
  auto state = in(Phase::direct);
  state.up_since = kNow.ms - kTimes.lasting_ms + 1;
  const auto stepped = step(kTimes, state, {Kind::link_lost, "cut"}, kNow);
  CHECK(stepped.state.phase == Phase::waiting);
  CHECK(stepped.state.attempts == 1);
}

TEST_CASE(
    "host_shim/link/link_state: the delay doubles up to its bound, and a lasting link resets it") {
  auto state = in(Phase::starting);
  std::uint64_t expected = kTimes.first_delay_ms;
  for (int i = 0; i < 40; ++i) {
    const auto stepped = step(kTimes, state, {Kind::attach_failed, "no"}, kNow);
    REQUIRE(stepped.actions.back() == LinkAction{Do::arm, expected});
    state = step(kTimes, stepped.state, {Kind::timer}, kNow).state;
    REQUIRE(state.phase == Phase::starting);
    expected = std::min(2 * expected, kTimes.longest_delay_ms);
  }
  // By chance up to a quarter less.
  const auto less =
      step(kTimes, in(Phase::starting), {Kind::attach_failed, "no"}, {kNow.ms, 0.999});
  CHECK(less.actions.back().delay_ms < kTimes.first_delay_ms);
  CHECK(less.actions.back().delay_ms >= kTimes.first_delay_ms * 3 / 4);

  state.phase = Phase::stdio;
  state.up_since = kNow.ms - kTimes.lasting_ms;
  const auto lasted = step(kTimes, state, {Kind::link_lost, "cut"}, kNow);
  CHECK(lasted.actions.back() == LinkAction{Do::arm, kTimes.first_delay_ms});
}

TEST_CASE(
    "host_shim/link/link_state: a sleep while there was no link sets the clock with the next one") {
  auto state = step(kTimes, in(Phase::waiting), {Kind::resumed}, kNow).state;
  state.phase = Phase::greeting;
  const auto up = step(kTimes, state, {Kind::up}, kNow);
  CHECK(does(up, Do::step_clock));
  CHECK_FALSE(up.state.clock_wanted);
}
