#include "proxy/engine_gate.h"

#include <utility>

namespace causeway::proxy {

void EngineGate::set(State state, std::string reason) {
  const bool matters = state != state_ || state == State::ready;
  if (state != state_) woken_ = false;
  state_ = state;
  reason_ = std::move(reason);
  if (!matters) return;
  for (const auto& [id, changed] : subscribers_) changed();
}

EngineGate::Admission EngineGate::admit() {
  if (state_ == State::asleep && !std::exchange(woken_, true) && wake_) wake_();
  // Waking it may have changed the state already.
  switch (state_) {
    case State::ready:
      return Admission::go_on;
    case State::starting:
    case State::asleep:
      return Admission::wait;
    case State::down:
      break;
  }
  return Admission::refuse;
}

std::uint64_t EngineGate::subscribe(std::function<void()> changed) {
  subscribers_.emplace(next_, std::move(changed));
  return next_++;
}

std::string describe(const EngineGate& gate) {
  std::string text = "the Docker engine ";
  switch (gate.state()) {
    case EngineGate::State::starting:
      text += "is starting";
      break;
    case EngineGate::State::ready:
      text += "is running";
      break;
    case EngineGate::State::down:
      text += "is down";
      break;
    case EngineGate::State::asleep:
      text += "is asleep";
      break;
  }
  if (!gate.reason().empty()) text.append(": ").append(gate.reason());
  return text;
}

}  // namespace causeway::proxy
