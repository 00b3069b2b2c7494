// POST /v1/clock: the system's clock, set by Windows.
#pragma once

#include "control/api.h"
#include "daemon/clock.h"

namespace causeway::daemon {

void add_clock_calls(control::Api& api, Clock clock);

}  // namespace causeway::daemon
