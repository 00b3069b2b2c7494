// The screen of `causeway status`. Pure.
#pragma once

#include <string>

#include "cli/terminal.h"
#include "control_api/status.h"

namespace causeway::cli {

std::string status_screen(const control_api::ProductStatus& status, const Terminal& terminal);

// "dockerd starting, 3 s": what is still missing, for one line of progress. Empty when all is
// ready.
std::string progress_line(const control_api::ProductStatus& status);

// Whether what the user waits for is there: the engine is ready, or, when none is configured, every
// service that shall run is.
bool is_ready(const control_api::ProductStatus& status);
// Whether waiting can't help: a service has failed for good and nothing is on its way.
bool is_hopeless(const control_api::ProductStatus& status);

}  // namespace causeway::cli
