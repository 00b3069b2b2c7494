#include "daemon/product_status.h"

#include <unistd.h>

#include <chrono>

#include "base/file.h"
#include "base/text.h"

namespace causeway::daemon {
namespace {

control_api::ServiceState state_of(supervise::State state) {
  switch (state) {
    case supervise::State::off:
      return control_api::ServiceState::off;
    case supervise::State::waiting:
      return control_api::ServiceState::waiting;
    case supervise::State::starting:
      return control_api::ServiceState::starting;
    case supervise::State::ready:
      return control_api::ServiceState::ready;
    case supervise::State::stopping:
      return control_api::ServiceState::stopping;
    case supervise::State::killing:
      return control_api::ServiceState::killing;
    case supervise::State::backing_off:
      return control_api::ServiceState::backing_off;
    case supervise::State::failed:
      return control_api::ServiceState::failed;
    case supervise::State::invalid:
      return control_api::ServiceState::invalid;
  }
  return control_api::ServiceState::invalid;
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
    for (const auto& note : service.notes) {
      constexpr std::string_view kWarning = "warning: ";
      const bool warning = note.starts_with(kWarning);
      out.push_back({warning, service.name + ": " + note.substr(warning ? kWarning.size() : 0)});
    }
  return out;
}

std::uint64_t resident_bytes() {
  const auto statm = file::read("/proc/self/statm", 256);
  if (!statm) return 0;
  const auto fields = text::fields(*statm);
  const auto pages = fields.size() > 1 ? text::to_u64(fields[1]) : std::nullopt;
  return pages.value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace causeway::daemon
