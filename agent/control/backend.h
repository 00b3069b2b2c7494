// ControlBackend is what the control server asks and tells; the agent's wiring stands behind it, a
// script in the tests. All calls happen on the loop's thread and return at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/status.h"

namespace causeway::control {

enum class Action { start, stop, restart };

// What Windows' end of the link must know before it connects.
struct LinkContact {
  std::string nonce;       // 32 hex digits, of this life of init
  std::uint32_t port = 0;  // of vsock; 0: nothing listens there
  std::uint16_t major = 0;
};

struct ClockStep {
  bool stepped = false;
  std::int64_t offset_ms = 0;  // what was asked for, minus what the clock said
};

class ControlBackend {
 public:
  virtual ~ControlBackend() = default;
  virtual ProductStatus status() = 0;
  virtual bool has_service(std::string_view service) = 0;
  // The last `tail` lines that are still in memory, oldest first; of all services, in the order
  // they came, when `service` is empty. `fresh`: only those that came since this agent started.
  virtual std::vector<LogLine> logs(std::string_view service, std::size_t tail, bool fresh) = 0;
  // Begins it. On return status() shows the state behind the command: a service that is to restart
  // isn't `ready` any more. An error says why it can't be done now.
  virtual Status perform(Action action, std::string_view service) = 0;
  // Lets a distro be integrated from now on, or begins to undo its integration. ENOENT: no distro
  // of that name is known.
  virtual Status enable_distro(std::string_view distro, bool enabled) = 0;
  virtual LinkContact link_contact() = 0;
  // Sets the system's clock when it is off by more than a second. EINVAL: no such time can be
  // meant.
  virtual Result<ClockStep> step_clock(std::int64_t unix_ms) = 0;
};

}  // namespace causeway::control
