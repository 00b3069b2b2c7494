// What settings.json says about the services' log files.
#pragma once

#include "json/json.h"
#include "supervise/log_file.h"

namespace causeway::supervise {

void read_log_limits(json::ObjectReader& file, LogLimits& out);

}  // namespace causeway::supervise
