#include "supervise/service_machine.h"

#include <algorithm>

#include "supervise/backoff.h"

namespace causeway::supervise {
namespace {

std::uint64_t seconds(std::int64_t s) { return static_cast<std::uint64_t>(s) * 1000; }

// One step under construction: the moves between states, each with all that belongs to it.
class Mover {
 public:
  Mover(const ServiceSpec& spec, ServiceState state, Now now)
      : spec_(spec), now_(now), step_{std::move(state), {}} {}

  ServiceState& at() { return step_.state; }
  Step take() { return std::move(step_); }
  void act(ActionKind kind) { step_.actions.push_back({kind}); }

  void to_off(std::string reason) {
    act(ActionKind::disarm);
    enter(State::off, std::move(reason));
  }

  void to_sleep(std::string reason) {
    to_off(std::move(reason));
    at().asleep = true;
  }

  void to_invalid(std::string reason) {
    act(ActionKind::disarm);
    enter(State::invalid, std::move(reason));
  }

  void to_waiting(std::string reason) {
    act(ActionKind::disarm);
    enter(State::waiting, std::move(reason));
    at().was_ready = false;
    at().prepared = spec_.prepare.empty();
    if (!at().prepared) act(ActionKind::prepare);
    spawn_if_possible();
  }

  void spawn_if_possible() {
    if (!at().prepared || !at().needs_ready) return;
    enter(State::starting, std::move(at().reason));
    act(ActionKind::spawn);
    act(ActionKind::probe);
    arm(seconds(spec_.ready.timeout_s));
  }

  void to_adopted() {
    enter(State::starting, "taken over from an earlier agent");
    at().was_ready = false;
    act(ActionKind::probe);
    arm(seconds(spec_.ready.timeout_s));
  }

  void to_ready() {
    enter(State::ready, "");
    if (spec_.ready.kind != ReadyRule::Kind::none) worked();
    act(ActionKind::serve);
    arm(seconds(spec_.restart.healthy_s));
  }

  void to_stopping(AfterStop after, std::string reason) {
    enter(State::stopping, std::move(reason));
    at().after_stop = after;
    act(ActionKind::end_probe);
    act(ActionKind::terminate);
    arm(seconds(spec_.stop.timeout_s));
  }

  void to_killing() {
    enter(State::killing, at().reason + " (killed: it did not stop within " +
                              std::to_string(spec_.stop.timeout_s) + " s)");
    act(ActionKind::disarm);
    act(ActionKind::kill);
  }

  // A start or a run is over, and that was not wanted.
  void fail(std::string reason) {
    auto& failed = at().failed_at;
    std::erase_if(failed,
                  [&](std::uint64_t t) { return t + seconds(spec_.restart.window_s) <= now_.ms; });
    if (!at().was_ready) failed.push_back(now_.ms);
    if (spec_.restart.policy == RestartRule::Policy::never) {
      to_failed(std::move(reason));
    } else if (failed.size() >= static_cast<std::size_t>(spec_.restart.limit)) {
      to_failed(std::to_string(failed.size()) + " starts failed within " +
                std::to_string(spec_.restart.window_s) + " s, the last: " + reason);
    } else {
      enter(State::backing_off, std::move(reason));
      arm(backoff_ms(at().attempts++, static_cast<std::uint64_t>(spec_.restart.delay_ms),
                     static_cast<std::uint64_t>(spec_.restart.max_delay_ms), now_.chance));
    }
  }

  // The process ended by itself.
  void ended(const Event& event) {
    act(ActionKind::end_probe);
    if (event.clean && spec_.restart.policy != RestartRule::Policy::always)
      return to_off(event.detail);
    fail(event.detail);
  }

  // The end that stopping or killing waited for.
  void stopped() {
    switch (at().after_stop) {
      case AfterStop::off:
        return to_off(std::move(at().reason));
      case AfterStop::sleep:
        return to_sleep(std::move(at().reason));
      case AfterStop::start:
        ++at().restarts;
        return to_waiting(std::move(at().reason));
      case AfterStop::back_off:
        act(ActionKind::disarm);
        return fail(std::move(at().reason));
    }
  }

  // A request by a person, a wake-up, or a new file: what failed before counts no more.
  void fresh_start(std::string reason) {
    forget_failures();
    to_waiting(std::move(reason));
  }

  void forget_failures() {
    at().attempts = 0;
    at().failed_at.clear();
  }

  // Ready for healthy_s.
  void healthy() {
    worked();
    forget_failures();
  }

 private:
  void enter(State state, std::string reason) {
    at().state = state;
    at().reason = std::move(reason);
    at().asleep = false;
  }
  void arm(std::uint64_t ms) { step_.actions.push_back({ActionKind::arm, ms}); }
  // This run has shown that the service can work.
  void worked() {
    at().was_ready = true;
    at().failed_at.clear();
    at().attempts = std::min(at().attempts, kReadyAttempts);
  }
  void to_failed(std::string reason) {
    act(ActionKind::disarm);
    enter(State::failed, std::move(reason));
  }

  const ServiceSpec& spec_;
  Now now_;
  Step step_;
};

// One function a state. An event that is listed without an action can't come in that state, or
// comes too late to matter.

void in_off(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::start:
    case EventKind::restart:
      return move.fresh_start(event.detail);
    case EventKind::wake:
      if (move.at().asleep) move.fresh_start(event.detail);
      return;
    case EventKind::adopted:
      return move.to_adopted();
    case EventKind::stop:
      return move.to_off(event.detail);
    case EventKind::invalidate:
      return move.to_invalid(event.detail);
    case EventKind::sleep:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::ended:
    case EventKind::lost:
    case EventKind::timer:
      return;
  }
}

void in_waiting(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::prepared:
      move.at().prepared = true;
      return move.spawn_if_possible();
    case EventKind::needs_ready:
      return move.spawn_if_possible();
    case EventKind::prepare_failed:
      return move.fail(event.detail);
    case EventKind::stop:
      move.act(ActionKind::cancel_prepare);
      return move.to_off(event.detail);
    case EventKind::sleep:
      move.act(ActionKind::cancel_prepare);
      return move.to_sleep(event.detail);
    case EventKind::invalidate:
      move.act(ActionKind::cancel_prepare);
      return move.to_invalid(event.detail);
    case EventKind::start:
    case EventKind::restart:
    case EventKind::wake:  // a start is under way
    case EventKind::adopted:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::ended:
    case EventKind::lost:
    case EventKind::timer:
      return;
  }
}

void in_starting(Mover& move, const ServiceSpec& spec, const Event& event) {
  switch (event.kind) {
    case EventKind::answered:
      return move.to_ready();
    case EventKind::spawn_failed:
      move.act(ActionKind::end_probe);
      return move.fail(event.detail);
    case EventKind::ended:
      return move.ended(event);
    case EventKind::timer:
      return move.to_stopping(AfterStop::back_off,
                              "was not ready within " + std::to_string(spec.ready.timeout_s) +
                                  " s" + (event.detail.empty() ? "" : ": " + event.detail));
    case EventKind::stop:
      return move.to_stopping(AfterStop::off, event.detail);
    case EventKind::sleep:
      return move.to_stopping(AfterStop::sleep, event.detail);
    case EventKind::restart:
      return move.to_stopping(AfterStop::start, event.detail);
    case EventKind::start:
    case EventKind::wake:
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::lost:        // it is watched only when ready
    case EventKind::invalidate:  // a running process goes on under the file it was started with
      return;
  }
}

void in_ready(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::timer:  // healthy_s is over
      return move.healthy();
    case EventKind::ended:
      return move.ended(event);
    case EventKind::lost:
      return move.to_stopping(AfterStop::back_off, event.detail);
    case EventKind::stop:
      return move.to_stopping(AfterStop::off, event.detail);
    case EventKind::sleep:
      return move.to_stopping(AfterStop::sleep, event.detail);
    case EventKind::restart:
      return move.to_stopping(AfterStop::start, event.detail);
    case EventKind::start:
    case EventKind::wake:
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::invalidate:
      return;
  }
}

// stopping and killing differ in their deadline only.
void in_stopping(Mover& move, const Event& event, bool killing) {
  switch (event.kind) {
    case EventKind::ended:
      return move.stopped();
    case EventKind::timer:
      if (!killing) move.to_killing();
      return;
    case EventKind::start:
    case EventKind::restart:
      move.at().after_stop = AfterStop::start;
      return;
    case EventKind::stop:
      move.at().after_stop = AfterStop::off;
      move.at().reason = event.detail;
      return;
    case EventKind::sleep:  // a person's stop stays one
      if (move.at().after_stop == AfterStop::off) return;
      move.at().after_stop = AfterStop::sleep;
      move.at().reason = event.detail;
      return;
    case EventKind::wake:
      if (move.at().after_stop != AfterStop::sleep) return;
      move.at().after_stop = AfterStop::start;
      move.at().reason = event.detail;
      return;
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::lost:
    case EventKind::invalidate:
      return;
  }
}

void in_backing_off(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::timer:
      ++move.at().restarts;
      return move.to_waiting("next try; before: " + move.at().reason);
    case EventKind::start:
    case EventKind::restart:
      return move.fresh_start(event.detail);
    case EventKind::stop:
      return move.to_off(event.detail);
    case EventKind::sleep:
      return move.to_sleep(event.detail);
    case EventKind::invalidate:
      return move.to_invalid(event.detail);
    case EventKind::wake:
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::ended:
    case EventKind::lost:
      return;
  }
}

void in_failed(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::start:
    case EventKind::restart:
      return move.fresh_start(event.detail);
    case EventKind::stop:
      return move.to_off(event.detail);
    case EventKind::invalidate:
      return move.to_invalid(event.detail);
    case EventKind::sleep:
    case EventKind::wake:
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::ended:
    case EventKind::lost:
    case EventKind::timer:
      return;
  }
}

void in_invalid(Mover& move, const Event& event) {
  switch (event.kind) {
    case EventKind::invalidate:
      return move.to_invalid(event.detail);
    case EventKind::start:
    case EventKind::stop:
    case EventKind::sleep:
    case EventKind::wake:
    case EventKind::restart:
    case EventKind::adopted:
    case EventKind::prepared:
    case EventKind::prepare_failed:
    case EventKind::needs_ready:
    case EventKind::needs_lost:
    case EventKind::spawn_failed:
    case EventKind::answered:
    case EventKind::ended:
    case EventKind::lost:
    case EventKind::timer:
      return;
  }
}

}  // namespace

Step step(const ServiceSpec& spec, ServiceState state, const Event& event, Now now) {
  // The needs come and go in every state; only waiting acts on it.
  if (event.kind == EventKind::needs_ready) state.needs_ready = true;
  if (event.kind == EventKind::needs_lost) state.needs_ready = false;
  const State before = state.state;
  Mover move(spec, std::move(state), now);
  switch (before) {
    case State::off:
      in_off(move, event);
      break;
    case State::waiting:
      in_waiting(move, event);
      break;
    case State::starting:
      in_starting(move, spec, event);
      break;
    case State::ready:
      in_ready(move, event);
      break;
    case State::stopping:
      in_stopping(move, event, false);
      break;
    case State::killing:
      in_stopping(move, event, true);
      break;
    case State::backing_off:
      in_backing_off(move, event);
      break;
    case State::failed:
      in_failed(move, event);
      break;
    case State::invalid:
      in_invalid(move, event);
      break;
  }
  return move.take();
}

const char* state_name(State state) {
  switch (state) {
    case State::off:
      return "off";
    case State::waiting:
      return "waiting";
    case State::starting:
      return "starting";
    case State::ready:
      return "ready";
    case State::stopping:
      return "stopping";
    case State::killing:
      return "killing";
    case State::backing_off:
      return "backing-off";
    case State::failed:
      return "failed";
    case State::invalid:
      return "invalid";
  }
  return "";
}

bool has_process(State state) {
  switch (state) {
    case State::starting:
    case State::ready:
    case State::stopping:
    case State::killing:
      return true;
    case State::off:
    case State::waiting:
    case State::backing_off:
    case State::failed:
    case State::invalid:
      return false;
  }
  return false;
}

}  // namespace causeway::supervise
