// ControlBackend is what the control server asks and tells; the agent's wiring stands behind it, a
// script in the tests. All calls happen on the loop's thread and return at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control_api/action.h"
#include "control_api/status.h"

namespace causeway::control {

class ControlBackend {
 public:
  virtual ~ControlBackend() = default;
  virtual control_api::ProductStatus status() = 0;
  virtual bool has_service(std::string_view service) = 0;
  // The last `tail` lines that are still in memory, oldest first; of all services, in the order
  // they came, when `service` is empty. `fresh`: only those that came since this agent started.
  virtual std::vector<control_api::LogLine> logs(std::string_view service, std::size_t tail,
                                                 bool fresh) = 0;
  // Begins it. On return status() shows the state behind the command: a service that is to restart
  // isn't `ready` any more. An error says why it can't be done now.
  virtual Status perform(control_api::Action action, std::string_view service) = 0;
  // Lets a distro be integrated from now on, or begins to undo its integration. ENOENT: no distro
  // of that name is known.
  virtual Status enable_distro(std::string_view distro, bool enabled) = 0;
  virtual control_api::LinkContact link_contact() = 0;
  // Sets the system's clock when it is off by more than a second. EINVAL: no such time can be
  // meant.
  virtual Result<control_api::ClockStep> step_clock(std::int64_t unix_ms) = 0;
};

}  // namespace causeway::control
