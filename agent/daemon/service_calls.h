// The services in the control API: the section `services`, their notes, and what may be asked of
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/api.h"
#include "control_api/notes.h"
#include "control_api/services.h"
#include "supervise/service_status.h"
#include "supervise/supervisor.h"

namespace causeway::daemon {

// `now_ms`: Unix time.
control_api::ServiceStatus describe(const supervise::ServiceStatus& service, std::int64_t now_ms);

// What the services have to say, each with its service's name in front.
std::vector<control_api::Note> notes_of(const std::vector<supervise::ServiceStatus>& services);

// The supervisor, as these calls need it.
struct ServiceSource {
  std::function<std::vector<control_api::ServiceStatus>()> services;
  // Begins it. On return services() shows the state behind the command: a service that is to
  // restart isn't `ready` any more. An error says why it can't be done now.
  std::function<Status(control_api::Action action, const std::string& service)> perform;
  // `wait=1` without a timeout_s: longer than any stop rule of ours.
  std::uint64_t wait_s = 120;
};
ServiceSource service_source(supervise::Supervisor& supervisor);

void add_service_calls(control::Api& api, ServiceSource source);

}  // namespace causeway::daemon
