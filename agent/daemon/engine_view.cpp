#include "daemon/engine_view.h"

#include <algorithm>

namespace causeway::daemon {
namespace {

using control_api::EngineState;
using supervise::ServiceSummary;
using supervise::State;

const ServiceSummary* find(const std::vector<ServiceSummary>& services, const std::string& name) {
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const auto& service) { return service.name == name; });
  return found == services.end() ? nullptr : &*found;
}

std::string with_reason(const std::string& text, const ServiceSummary& service) {
  return service.reason.empty() ? text : text + ": " + service.reason;
}

// Waiting is down when what it waits for won't come. `depth` bounds a circle of needs.
EngineView waiting(const std::vector<ServiceSummary>& services, const ServiceSummary& service,
                   std::size_t depth) {
  for (const auto& name : service.needs) {
    const auto* need = find(services, name);
    const std::string waits = service.name + " waits for " + name;
    if (need == nullptr) return {EngineState::down, waits + ", which is not configured"};
    switch (need->state) {
      case State::ready:
        continue;
      case State::off:
        return {EngineState::down, with_reason(waits + ", which is off", *need)};
      case State::failed:
        return {EngineState::down, with_reason(waits + ", which has failed", *need)};
      case State::invalid:
        return {EngineState::down, with_reason(waits + ", whose file can't be used", *need)};
      case State::waiting:
        if (depth > 0) return waiting(services, *need, depth - 1);
        return {EngineState::down, waits + ", in a circle"};
      case State::starting:
      case State::stopping:
      case State::killing:
      case State::backing_off:
        return {EngineState::starting, waits};
    }
  }
  return {EngineState::starting, service.name + " is being prepared"};
}

}  // namespace

EngineView engine_view(const std::vector<ServiceSummary>& services,
                       const std::string& engine_service, bool stopping) {
  const auto* service = find(services, engine_service);
  if (service == nullptr) return {};
  if (stopping) return {EngineState::down, "everything is being stopped"};
  const std::string& name = service->name;
  switch (service->state) {
    case State::ready:
      return {EngineState::ready, ""};
    case State::starting:
      return {EngineState::starting, name + " is starting"};
    case State::waiting:
      return waiting(services, *service, services.size());
    case State::backing_off:
      return {EngineState::starting, with_reason(name + " will be started again", *service)};
    case State::stopping:
    case State::killing:
      // Perhaps to start again. If not, whoever waits is refused as soon as it is off.
      return {EngineState::starting, with_reason(name + " is being stopped", *service)};
    case State::off:
      return {EngineState::down, with_reason(name + " is off", *service)};
    case State::failed:
      return {EngineState::down, with_reason(name + " has failed", *service)};
    case State::invalid:
      return {EngineState::down, with_reason(name + " can't be started", *service)};
  }
  return {};
}

}  // namespace causeway::daemon
