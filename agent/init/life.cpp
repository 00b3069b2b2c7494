#include "init/life.h"

#include <algorithm>

namespace causeway::init {
namespace {

using State = Life::State;

LifeStep stay(const Life& life) { return {life, LifeAction::none}; }

LifeStep wait_after_failure(Life life, Milliseconds now) {
  life.state = State::waiting;
  life.due = now + restart_delay(life.failures);
  ++life.failures;
  return {life, LifeAction::none};
}

LifeStep terminate_all(Life life, Milliseconds deadline) {
  life.state = State::terminating;
  life.due = deadline;
  return {life, LifeAction::terminate_all};
}

LifeStep finish(Life life) {
  life.state = State::finished;
  life.due = kNever;
  return {life, LifeAction::finish};
}

LifeStep in_waiting(Life life, LifeEvent event, Milliseconds now) {
  switch (event) {
    case LifeEvent::agent_started:
      life.state = State::running;
      life.started = now;
      life.due = kNever;
      return {life, LifeAction::none};
    case LifeEvent::start_failed:
      return wait_after_failure(life, now);
    case LifeEvent::stop_asked:
      // No agent stops the services in order, so they get its time.
      return terminate_all(life, now + std::max(life.stop_timeout, kTermGrace));
    case LifeEvent::due:
      life.due = kNever;  // until agent_started or start_failed
      return {life, LifeAction::start_agent};
    case LifeEvent::agent_done:
    case LifeEvent::agent_died:
    case LifeEvent::nobody_left:  // usual between two agents
      return stay(life);
  }
  return stay(life);
}

LifeStep in_running(Life life, LifeEvent event, Milliseconds now) {
  switch (event) {
    case LifeEvent::agent_done:
      return terminate_all(life, now + kTermGrace);
    case LifeEvent::agent_died:
      if (now - life.started >= kRecovered) life.failures = 0;
      return wait_after_failure(life, now);
    case LifeEvent::stop_asked:
      life.state = State::stopping;
      life.due = now + life.stop_timeout;
      return {life, LifeAction::stop_agent};
    case LifeEvent::agent_started:
    case LifeEvent::start_failed:
    case LifeEvent::due:
    case LifeEvent::nobody_left:
      return stay(life);
  }
  return stay(life);
}

LifeStep in_stopping(const Life& life, LifeEvent event, Milliseconds now) {
  switch (event) {
    case LifeEvent::agent_done:
      return terminate_all(life, now + kTermGrace);
    case LifeEvent::agent_died:
      return terminate_all(life, std::max(life.due, now + kTermGrace));
    case LifeEvent::due:
      return terminate_all(life, now + kTermGrace);
    case LifeEvent::agent_started:
    case LifeEvent::start_failed:
    case LifeEvent::stop_asked:  // asking twice doesn't shorten it
    case LifeEvent::nobody_left:
      return stay(life);
  }
  return stay(life);
}

LifeStep in_terminating(Life life, LifeEvent event, Milliseconds now) {
  switch (event) {
    case LifeEvent::due:
      life.state = State::killing;
      life.due = now + kKillGrace;
      return {life, LifeAction::kill_all};
    case LifeEvent::nobody_left:
      return finish(life);
    case LifeEvent::agent_started:
    case LifeEvent::start_failed:
    case LifeEvent::agent_done:
    case LifeEvent::agent_died:
    case LifeEvent::stop_asked:
      return stay(life);
  }
  return stay(life);
}

LifeStep in_killing(const Life& life, LifeEvent event) {
  switch (event) {
    case LifeEvent::due:
    case LifeEvent::nobody_left:
      return finish(life);
    case LifeEvent::agent_started:
    case LifeEvent::start_failed:
    case LifeEvent::agent_done:
    case LifeEvent::agent_died:
    case LifeEvent::stop_asked:
      return stay(life);
  }
  return stay(life);
}

}  // namespace

Milliseconds restart_delay(unsigned failures) {
  if (failures == 0) return 0;
  Milliseconds delay = kFirstDelay;
  for (unsigned i = 1; i < failures && delay < kLongestDelay; ++i) delay *= 2;
  return std::min(delay, kLongestDelay);
}

LifeStep advance(const Life& life, LifeEvent event, Milliseconds now) {
  switch (life.state) {
    case State::waiting:
      return in_waiting(life, event, now);
    case State::running:
      return in_running(life, event, now);
    case State::stopping:
      return in_stopping(life, event, now);
    case State::terminating:
      return in_terminating(life, event, now);
    case State::killing:
      return in_killing(life, event);
    case State::finished:
      return stay(life);
  }
  return stay(life);
}

}  // namespace causeway::init
