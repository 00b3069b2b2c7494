#include "daemon/service_calls.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"

namespace causeway::daemon {
namespace {

using control_api::Action;
using control_api::ServiceState;

// No start or stop rule of a service takes longer than an hour.
constexpr std::uint64_t kMaxWaitSeconds = 3600;

ServiceState state_of(supervise::State state) {
  switch (state) {
    case supervise::State::off:
      return ServiceState::off;
    case supervise::State::waiting:
      return ServiceState::waiting;
    case supervise::State::starting:
      return ServiceState::starting;
    case supervise::State::ready:
      return ServiceState::ready;
    case supervise::State::stopping:
      return ServiceState::stopping;
    case supervise::State::killing:
      return ServiceState::killing;
    case supervise::State::backing_off:
      return ServiceState::backing_off;
    case supervise::State::failed:
      return ServiceState::failed;
    case supervise::State::invalid:
      return ServiceState::invalid;
  }
  return ServiceState::invalid;
}

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// How a wait ends: an empty text when what was asked for is reached, else why it never will be.
std::optional<std::string> outcome(Action action, const control_api::ServiceStatus& service) {
  switch (service.state) {
    case ServiceState::ready:
      if (action == Action::stop) return std::nullopt;
      return "";
    case ServiceState::failed:
    case ServiceState::invalid:
      if (action == Action::stop) return "";
      return service.name + ": " + (service.reason.empty() ? "failed" : service.reason);
    case ServiceState::off:
      if (action == Action::stop) return "";
      // Between the halves of a restart it may be seen off.
      if (action == Action::restart) return std::nullopt;
      return service.name + " was stopped meanwhile";
    case ServiceState::waiting:
    case ServiceState::starting:
    case ServiceState::stopping:
    case ServiceState::killing:
    case ServiceState::backing_off:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<control::Reply> reply_when_over(const ServiceSource& source, Action action,
                                              const std::string& name) {
  const auto services = source.services();
  const auto* service = find(services, name);
  if (service == nullptr) return control::refusal(404, "the service is gone: " + name);
  const auto end = outcome(action, *service);
  if (!end) return std::nullopt;
  return end->empty() ? control::Reply{200, to_json(*service)} : control::refusal(500, *end);
}

control::Answer act(control::Sections& sections, const ServiceSource& source, Action action,
                    const control::Request& request) {
  const std::string& name = request.name;
  if (find(source.services(), name) == nullptr)
    return control::refusal(404, "no such service: " + name);
  log::info("control.action", {{"service", name}, {"action", name_of(action)}});
  if (auto begun = source.perform(action, name); !begun)
    return control::refusal(409, begun.error().message);
  if (request.number("wait", 0) == 0) {
    const auto services = source.services();
    const auto* service = find(services, name);
    return control::Reply{202, service == nullptr ? "{}" : to_json(*service)};
  }
  const auto seconds = request.number("timeout_s", source.wait_s);
  return sections.wait([source, action, name] { return reply_when_over(source, action, name); },
                       seconds * 1000,
                       control::refusal(504, name + " did not get there within " +
                                                 std::to_string(seconds) + " s; it goes on"));
}

}  // namespace

control_api::ServiceStatus describe(const supervise::ServiceStatus& service, std::int64_t now_ms) {
  control_api::ServiceStatus out;
  out.name = service.name;
  out.description = service.description;
  out.state = state_of(service.state);
  out.reason = service.reason;
  out.since = (now_ms - service.age_ms) / 1000;
  out.age_s = static_cast<std::uint64_t>(service.age_ms) / 1000;
  if (service.pid > 0) out.pid = service.pid;
  out.adopted = service.adopted;
  out.restarts = service.restarts;
  out.last_exit = service.last_exit;
  out.memory_bytes = service.memory_bytes;
  out.needs = service.needs;
  out.last_lines = service.last_log_lines;
  return out;
}

std::vector<control_api::Note> notes_of(const std::vector<supervise::ServiceStatus>& services) {
  std::vector<control_api::Note> out;
  for (const auto& service : services)
    for (const auto& note : service.notes)
      out.push_back({note.warning, service.name + ": " + note.text});
  return out;
}

ServiceSource service_source(supervise::Supervisor& supervisor) {
  ServiceSource out;
  out.services = [&supervisor] {
    std::vector<control_api::ServiceStatus> services;
    for (const auto& service : supervisor.snapshot())
      services.push_back(describe(service, unix_ms()));
    return services;
  };
  out.perform = [&supervisor](Action action, const std::string& service) -> Status {
    switch (action) {
      case Action::start:
        return supervisor.start_service(service);
      case Action::stop:
        return supervisor.stop_service(service);
      case Action::restart:
        return supervisor.restart_service(service);
    }
    return make_error("no such action");
  };
  return out;
}

void add_service_calls(control::Api& api, ServiceSource source) {
  api.sections.add("services", [source] { return to_json(source.services()); });
  const auto add = [&](std::string_view path, Action action) {
    api.calls.add({"POST", path, {{"wait", 0, 1}, {"timeout_s", 1, kMaxWaitSeconds}}},
                  [&sections = api.sections, source, action](const control::Request& request) {
                    return act(sections, source, action, request);
                  });
  };
  add("/v1/services/{name}/start", Action::start);
  add("/v1/services/{name}/stop", Action::stop);
  add("/v1/services/{name}/restart", Action::restart);
}

}  // namespace causeway::daemon
