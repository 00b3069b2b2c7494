// What every answer that is no success says.
#pragma once

#include <string>
#include <string_view>

namespace causeway::control_api {

std::string error_json(std::string_view message);  // {"message": …}

}  // namespace causeway::control_api
