#include "control_api/version.h"

#include "json/json.h"

namespace causeway::control_api {

std::string version_json(std::string_view version) {
  return json::Json::object({{"version", version}, {"api", 1}}).dump();
}

}  // namespace causeway::control_api
