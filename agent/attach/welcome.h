// What a person reads first who opens the engine's own shell. Pure.
#pragma once

#include <string>

#include "control_api/status.h"

namespace causeway::attach {

// One line or two: what runs, and where one is.
std::string welcome(const control_api::ProductStatus& status);

}  // namespace causeway::attach
