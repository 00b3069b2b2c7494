#include "link/link_state.h"

#include <algorithm>
#include <utility>

namespace causeway::shim::link {
namespace {

using Phase = LinkPhase;
using Kind = LinkEventKind;
using Do = LinkActionKind;

// One step under way: what it changes and what is to be done.
class Stepper {
 public:
  Stepper(const LinkTimes& times, LinkState& state, const LinkEvent& event, LinkNow now)
      : times_(times), state_(state), event_(event), now_(now) {}

  std::vector<LinkAction> take();

 private:
  void act(Do kind, std::uint64_t delay_ms = 0) { actions_.push_back({kind, delay_ms}); }
  void go(Phase phase) { state_.phase = phase; }

  void when_stopped();
  void when_starting();
  void when_dialing();
  void when_greeting();
  void when_direct();
  void when_stdio();
  void when_rejoining();
  void when_holding();
  void when_waiting();
  void when_stopping();

  void start_attach(Phase phase) {
    go(phase);
    act(Do::start_attach);
    act(Do::arm, times_.start_ms);
  }
  void dial() {
    go(Phase::dialing);
    act(Do::disarm);
    act(Do::dial);
  }
  void greet(const std::string& why_not_direct) {
    state_.direct_reason = why_not_direct;
    go(Phase::greeting);
    act(Do::disarm);
    act(Do::greet);
  }
  void come_up(Phase phase) {
    go(phase);
    state_.reason.clear();
    if (phase == Phase::direct) state_.direct_reason.clear();
    state_.up_since = now_.ms;
    if (std::exchange(state_.clock_wanted, false)) act(Do::step_clock);
  }
  bool lasted() {
    const bool long_enough = now_.ms - state_.up_since >= times_.lasting_ms;
    if (long_enough) state_.attempts = 0;
    return long_enough;
  }
  // Doubling, less up to a quarter by chance.
  void delay() {
    const auto shift = std::min(state_.attempts++, 16U);
    const auto whole = std::min(times_.first_delay_ms << shift, times_.longest_delay_ms);
    act(Do::arm, whole - static_cast<std::uint64_t>(static_cast<double>(whole) * now_.chance / 4));
  }
  void wait(const std::string& reason) {
    state_.reason = reason;
    go(Phase::waiting);
    act(Do::drop_link);
    act(Do::end_attach);
    delay();
  }
  void hold(const std::string& reason) {
    state_.reason = reason;
    go(Phase::holding);
    act(Do::end_attach);
    delay();
  }
  void look_after_link() {
    act(Do::check_link);
    act(Do::step_clock);
  }
  void stop() {
    go(Phase::stopping);
    state_.reason.clear();
    act(Do::say_farewell);
    act(Do::arm, times_.stop_ms);
  }
  void stop_at_once() {
    go(Phase::stopped);
    state_ = LinkState{};
    act(Do::drop_link);
    act(Do::end_attach);
    act(Do::disarm);
  }

  const LinkTimes& times_;
  LinkState& state_;
  const LinkEvent& event_;
  const LinkNow now_;
  std::vector<LinkAction> actions_;
};

std::vector<LinkAction> Stepper::take() {
  switch (state_.phase) {
    case Phase::stopped:
      when_stopped();
      break;
    case Phase::starting:
      when_starting();
      break;
    case Phase::dialing:
      when_dialing();
      break;
    case Phase::greeting:
      when_greeting();
      break;
    case Phase::direct:
      when_direct();
      break;
    case Phase::stdio:
      when_stdio();
      break;
    case Phase::rejoining:
      when_rejoining();
      break;
    case Phase::holding:
      when_holding();
      break;
    case Phase::waiting:
      when_waiting();
      break;
    case Phase::stopping:
      when_stopping();
      break;
  }
  return std::move(actions_);
}

void Stepper::when_stopped() {
  switch (event_.kind) {
    case Kind::start:
      return start_attach(Phase::starting);
    case Kind::stop:
    case Kind::line:
    case Kind::attach_failed:
    case Kind::attach_ended:
    case Kind::up:
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::resumed:
    case Kind::timer:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_starting() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::line:
      return event_.direct ? dial() : greet(event_.detail);
    case Kind::attach_failed:
    case Kind::attach_ended:
      return wait(event_.detail);
    case Kind::timer:
      return wait("attach didn't tell how to reach the agent within " +
                  std::to_string(times_.start_ms / 1000) + " s");
    case Kind::resumed:
      state_.clock_wanted = true;
      return;
    case Kind::start:
    case Kind::up:
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_dialing() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::up:
      return come_up(Phase::direct);
    case Kind::link_failed:
    case Kind::link_lost:
      act(Do::drop_link);
      return greet(event_.detail);
    case Kind::attach_failed:
    case Kind::attach_ended:
      return wait(event_.detail);
    case Kind::resumed:
      state_.clock_wanted = true;
      return;
    case Kind::start:
    case Kind::line:
    case Kind::timer:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_greeting() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::up:
      return come_up(Phase::stdio);
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::attach_failed:
    case Kind::attach_ended:
      return wait(event_.detail);
    case Kind::resumed:
      state_.clock_wanted = true;
      return;
    case Kind::start:
    case Kind::line:
    case Kind::timer:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_direct() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::link_failed:
    case Kind::link_lost:
      if (!lasted()) return wait(event_.detail);
      state_.reason = event_.detail;
      act(Do::drop_link);
      return dial();
    case Kind::attach_failed:
    case Kind::attach_ended:
      // Often the VM's end, and the link's comes next.
      lasted();
      return hold(event_.detail);
    case Kind::resumed:
      return look_after_link();
    case Kind::start:
    case Kind::line:
    case Kind::up:
    case Kind::timer:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_stdio() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::attach_failed:
    case Kind::attach_ended:
      lasted();
      return wait(event_.detail);
    case Kind::resumed:
      return look_after_link();
    case Kind::start:
    case Kind::line:
    case Kind::up:
    case Kind::timer:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_rejoining() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::line:
      if (event_.same_agent) {
        act(Do::disarm);
        state_.reason.clear();
        return go(Phase::direct);
      }
      state_.reason = "the engine's distro was started anew";
      act(Do::drop_link);
      return event_.direct ? dial() : greet(event_.detail);
    case Kind::link_failed:
    case Kind::link_lost:
      // attach is on its way: it alone decides now.
      state_.reason = event_.detail;
      act(Do::drop_link);
      return go(Phase::starting);
    case Kind::attach_failed:
    case Kind::attach_ended:
      return hold(event_.detail);
    case Kind::timer:
      return hold("attach didn't tell how to reach the agent within " +
                  std::to_string(times_.start_ms / 1000) + " s");
    case Kind::resumed:
      return look_after_link();
    case Kind::start:
    case Kind::up:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_holding() {
  switch (event_.kind) {
    case Kind::stop:
      return stop();
    case Kind::timer:
      return start_attach(Phase::rejoining);
    case Kind::link_failed:
    case Kind::link_lost:
      // The timer is armed already.
      state_.reason = event_.detail;
      act(Do::drop_link);
      return go(Phase::waiting);
    case Kind::resumed:
      look_after_link();
      return start_attach(Phase::rejoining);
    case Kind::start:
    case Kind::line:
    case Kind::attach_failed:
    case Kind::attach_ended:
    case Kind::up:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_waiting() {
  switch (event_.kind) {
    case Kind::stop:
      return stop_at_once();
    case Kind::resumed:
      state_.attempts = 0;
      state_.clock_wanted = true;
      return start_attach(Phase::starting);
    case Kind::start:
    case Kind::timer:
      return start_attach(Phase::starting);
    case Kind::line:
    case Kind::attach_failed:
    case Kind::attach_ended:
    case Kind::up:
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::farewell_said:
      return;
  }
}

void Stepper::when_stopping() {
  switch (event_.kind) {
    case Kind::stop:
    case Kind::attach_failed:
    case Kind::attach_ended:
    case Kind::timer:
      return stop_at_once();
    case Kind::farewell_said:
      act(Do::drop_link);
      return act(Do::ask_attach);
    case Kind::start:
    case Kind::line:
    case Kind::up:
    case Kind::link_failed:
    case Kind::link_lost:
    case Kind::resumed:
      return;
  }
}

}  // namespace

LinkStep step(const LinkTimes& times, LinkState state, const LinkEvent& event, LinkNow now) {
  LinkStep out{std::move(state), {}};
  out.actions = Stepper(times, out.state, event, now).take();
  return out;
}

const char* phase_name(LinkPhase phase) {
  switch (phase) {
    case Phase::stopped:
      return "stopped";
    case Phase::starting:
      return "starting";
    case Phase::dialing:
      return "dialing";
    case Phase::greeting:
      return "greeting";
    case Phase::direct:
    case Phase::stdio:
    case Phase::rejoining:
    case Phase::holding:
      return "connected";
    case Phase::waiting:
      return "waiting";
    case Phase::stopping:
      return "stopping";
  }
  return "";
}

bool is_up(LinkPhase phase) {
  return phase == Phase::direct || phase == Phase::stdio || phase == Phase::rejoining ||
         phase == Phase::holding;
}

bool is_coming(LinkPhase phase) {
  return phase == Phase::starting || phase == Phase::dialing || phase == Phase::greeting;
}

}  // namespace causeway::shim::link
