// Section `example`, for CONTRIBUTING.md's "Add a control section": a cache that can be filled.
// This file would be agent/control_api/example.h.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

struct ExampleStatus {
  std::uint64_t cached_bytes = 0;
};

std::string to_json(const ExampleStatus& example);
Status read(const json::Json& json, ExampleStatus& out);

}  // namespace causeway::control_api
