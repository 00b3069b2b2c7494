// GET /v1/version.
#pragma once

#include <string>
#include <string_view>

namespace causeway::control_api {

std::string version_json(std::string_view version);  // {"version", "api"}

}  // namespace causeway::control_api
