#include "daemon/agent_calls.h"

#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "control_api/version.h"

namespace causeway::daemon {

std::uint64_t resident_bytes() {
  const auto statm = file::read("/proc/self/statm", 256);
  if (!statm) return 0;
  const auto fields = text::fields(*statm);
  const auto pages = fields.size() > 1 ? text::to_u64(fields[1]) : std::nullopt;
  return pages.value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void add_agent_calls(control::Api& api, std::function<control_api::AgentStatus()> describe) {
  api.sections.add("agent", [describe = std::move(describe)] {
    auto agent = describe();
    agent.version = CAUSEWAY_VERSION;
    agent.pid = ::getpid();
    agent.memory_bytes = resident_bytes();
    return to_json(agent);
  });
  api.calls.add({"GET", "/v1/version"}, [](const control::Request&) {
    return control::Reply{200, control_api::version_json(CAUSEWAY_VERSION)};
  });
}

}  // namespace causeway::daemon
