#include "control_api/errors.h"

#include "json/json.h"

namespace causeway::control_api {

std::string error_json(std::string_view message) {
  return json::Json::object({{"message", message}}).dump();
}

}  // namespace causeway::control_api
