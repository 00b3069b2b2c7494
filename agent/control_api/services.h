// Section `services`: the daemons that the agent supervises, and what may be asked of one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

// POST /v1/services/{name}/{action}
enum class Action { start, stop, restart };
std::string_view name_of(Action action);

// The states a service is shown in (supervise/service_machine.h has the whole story).
enum class ServiceState {
  off,       // nobody wants it; `reason` says why
  waiting,   // for the services it needs, or for its preparation
  starting,  // runs, isn't ready yet
  ready,
  stopping,
  killing,      // outlived its stop's deadline
  backing_off,  // ended, starts again after a delay
  failed,       // given up; `reason` says why
  invalid,      // its file can't be used
};
std::string_view name_of(ServiceState state);
std::optional<ServiceState> service_state(std::string_view name);

struct ServiceStatus {
  std::string name;
  std::string description;
  ServiceState state = ServiceState::off;
  std::string reason;      // why it isn't ready, or is silent; empty when there is nothing to say
  std::int64_t since = 0;  // unix seconds of the last change of state; of the start while ready
  std::uint64_t age_s = 0;
  std::uint64_t silent_s = 0;  // for so long it is ready and doesn't answer
  std::optional<std::int64_t> pid;
  bool adopted = false;        // its process was started by an earlier agent
  std::uint64_t restarts = 0;  // in this boot
  std::string last_exit;       // how its last process ended; empty when none did
  std::optional<std::uint64_t> memory_bytes;
  std::vector<std::string> needs;
  std::vector<std::string> last_lines;  // of its log, when it failed or backs off
};

const ServiceStatus* find(const std::vector<ServiceStatus>& services, std::string_view name);

std::string to_json(const std::vector<ServiceStatus>& services);
Status read(const json::Json& json, std::vector<ServiceStatus>& out);

// One, as the answer of an action.
std::string to_json(const ServiceStatus& service);
Result<ServiceStatus> service_from_json(std::string_view text);

}  // namespace causeway::control_api
