// A line of the log in the agent's form (base/log.h): an event, then key=value.
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"

namespace causeway::shim {

// Values are in quotes where they hold blanks, quotes or equals signs; control characters are
// escaped, so no value can forge a line.
std::string log_line(std::string_view event, log::Fields fields = {});

}  // namespace causeway::shim
