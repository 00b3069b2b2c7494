#include "daemon/engine_view.h"

#include <algorithm>

namespace causeway::daemon {
namespace {

using control_api::EngineState;
using control_api::ServiceState;
using control_api::ServiceStatus;

const ServiceStatus* find(const std::vector<ServiceStatus>& services, const std::string& name) {
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const auto& service) { return service.name == name; });
  return found == services.end() ? nullptr : &*found;
}

std::string with_reason(std::string text, const ServiceStatus& service) {
  return service.reason.empty() ? text : text + ": " + service.reason;
}

// Waiting is down when what it waits for won't come. `depth` bounds a circle of needs.
EngineView waiting(const std::vector<ServiceStatus>& services, const ServiceStatus& service,
                   std::size_t depth) {
  for (const auto& name : service.needs) {
    const auto* need = find(services, name);
    const std::string waits = service.name + " waits for " + name;
    if (need == nullptr) return {EngineState::down, waits + ", which is not configured"};
    switch (need->state) {
      case ServiceState::ready:
        continue;
      case ServiceState::off:
        return {EngineState::down, with_reason(waits + ", which is off", *need)};
      case ServiceState::failed:
        return {EngineState::down, with_reason(waits + ", which has failed", *need)};
      case ServiceState::invalid:
        return {EngineState::down, with_reason(waits + ", whose file can't be used", *need)};
      case ServiceState::waiting:
        if (depth > 0) return waiting(services, *need, depth - 1);
        return {EngineState::down, waits + ", in a circle"};
      case ServiceState::starting:
      case ServiceState::stopping:
      case ServiceState::killing:
      case ServiceState::backing_off:
        return {EngineState::starting, waits};
    }
  }
  return {EngineState::starting, service.name + " is being prepared"};
}

}  // namespace

EngineView engine_view(const std::vector<ServiceStatus>& services,
                       const std::string& engine_service, bool stopping) {
  const auto* service = find(services, engine_service);
  if (service == nullptr) return {};
  if (stopping) return {EngineState::down, "everything is being stopped"};
  const std::string& name = service->name;
  switch (service->state) {
    case ServiceState::ready:
      return {EngineState::ready, ""};
    case ServiceState::starting:
      return {EngineState::starting, name + " is starting"};
    case ServiceState::waiting:
      return waiting(services, *service, services.size());
    case ServiceState::backing_off:
      return {EngineState::starting, with_reason(name + " will be started again", *service)};
    case ServiceState::stopping:
    case ServiceState::killing:
      // Perhaps to start again. If not, whoever waits is refused as soon as it is off.
      return {EngineState::starting, with_reason(name + " is being stopped", *service)};
    case ServiceState::off:
      return {EngineState::down, with_reason(name + " is off", *service)};
    case ServiceState::failed:
      return {EngineState::down, with_reason(name + " has failed", *service)};
    case ServiceState::invalid:
      return {EngineState::down, with_reason(name + " can't be started", *service)};
  }
  return {};
}

}  // namespace causeway::daemon
