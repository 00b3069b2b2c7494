// The supervisor's and the proxy's words for what runs, as the control API tells them.
#pragma once

#include <cstdint>
#include <vector>

#include "control_api/status.h"
#include "supervise/service_status.h"

namespace causeway::daemon {

// `now_ms`: Unix time.
control_api::ServiceStatus describe(const supervise::ServiceStatus& service, std::int64_t now_ms);

// What the services have to say, each with its service's name in front.
std::vector<control_api::Note> notes_of(const std::vector<supervise::ServiceStatus>& services);

// Of this process, by proc(5); 0 when it can't be read.
std::uint64_t resident_bytes();

std::int64_t unix_ms();

}  // namespace causeway::daemon
