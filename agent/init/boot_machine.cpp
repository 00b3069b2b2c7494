#include "init/boot_machine.h"

#include <algorithm>

namespace causeway::init {
namespace {

using State = Boot::State;

BootStep stay(const Boot& boot) { return {boot, BootAction::none}; }

BootStep wait_after_failure(Boot boot, Milliseconds now) {
  boot.state = State::waiting;
  boot.due = now + restart_delay(boot.failures);
  ++boot.failures;
  return {boot, BootAction::none};
}

BootStep terminate_all(Boot boot, Milliseconds deadline) {
  boot.state = State::terminating;
  boot.due = deadline;
  return {boot, BootAction::terminate_all};
}

BootStep finish(Boot boot) {
  boot.state = State::finished;
  boot.due = kNever;
  return {boot, BootAction::finish};
}

BootStep in_waiting(Boot boot, BootEvent event, Milliseconds now) {
  switch (event) {
    case BootEvent::agent_started:
      boot.state = State::running;
      boot.started = now;
      boot.due = kNever;
      return {boot, BootAction::none};
    case BootEvent::start_failed:
      return wait_after_failure(boot, now);
    case BootEvent::stop_asked:
      // No agent stops the services in order, so they get its time.
      return terminate_all(boot, now + std::max(boot.stop_timeout, kTermGrace));
    case BootEvent::due:
      boot.due = kNever;  // until agent_started or start_failed
      return {boot, BootAction::start_agent};
    case BootEvent::agent_done:
    case BootEvent::agent_died:
    case BootEvent::nobody_left:  // usual between two agents
      return stay(boot);
  }
  return stay(boot);
}

BootStep in_running(Boot boot, BootEvent event, Milliseconds now) {
  switch (event) {
    case BootEvent::agent_done:
      return terminate_all(boot, now + kTermGrace);
    case BootEvent::agent_died:
      if (now - boot.started >= kRecovered) boot.failures = 0;
      return wait_after_failure(boot, now);
    case BootEvent::stop_asked:
      boot.state = State::stopping;
      boot.due = now + boot.stop_timeout;
      return {boot, BootAction::stop_agent};
    case BootEvent::agent_started:
    case BootEvent::start_failed:
    case BootEvent::due:
    case BootEvent::nobody_left:
      return stay(boot);
  }
  return stay(boot);
}

BootStep in_stopping(const Boot& boot, BootEvent event, Milliseconds now) {
  switch (event) {
    case BootEvent::agent_done:
      return terminate_all(boot, now + kTermGrace);
    case BootEvent::agent_died:
      return terminate_all(boot, std::max(boot.due, now + kTermGrace));
    case BootEvent::due:
      return terminate_all(boot, now + kTermGrace);
    case BootEvent::agent_started:
    case BootEvent::start_failed:
    case BootEvent::stop_asked:  // asking twice doesn't shorten it
    case BootEvent::nobody_left:
      return stay(boot);
  }
  return stay(boot);
}

BootStep in_terminating(Boot boot, BootEvent event, Milliseconds now) {
  switch (event) {
    case BootEvent::due:
      boot.state = State::killing;
      boot.due = now + kKillGrace;
      return {boot, BootAction::kill_all};
    case BootEvent::nobody_left:
      return finish(boot);
    case BootEvent::agent_started:
    case BootEvent::start_failed:
    case BootEvent::agent_done:
    case BootEvent::agent_died:
    case BootEvent::stop_asked:
      return stay(boot);
  }
  return stay(boot);
}

BootStep in_killing(const Boot& boot, BootEvent event) {
  switch (event) {
    case BootEvent::due:
    case BootEvent::nobody_left:
      return finish(boot);
    case BootEvent::agent_started:
    case BootEvent::start_failed:
    case BootEvent::agent_done:
    case BootEvent::agent_died:
    case BootEvent::stop_asked:
      return stay(boot);
  }
  return stay(boot);
}

}  // namespace

Milliseconds restart_delay(unsigned failures) {
  if (failures == 0) return 0;
  Milliseconds delay = kFirstDelay;
  for (unsigned i = 1; i < failures && delay < kLongestDelay; ++i) delay *= 2;
  return std::min(delay, kLongestDelay);
}

BootStep advance(const Boot& boot, BootEvent event, Milliseconds now) {
  switch (boot.state) {
    case State::waiting:
      return in_waiting(boot, event, now);
    case State::running:
      return in_running(boot, event, now);
    case State::stopping:
      return in_stopping(boot, event, now);
    case State::terminating:
      return in_terminating(boot, event, now);
    case State::killing:
      return in_killing(boot, event);
    case State::finished:
      return stay(boot);
  }
  return stay(boot);
}

}  // namespace causeway::init
