// What may be asked of a service: POST /v1/services/{name}/{action}.
#pragma once

namespace causeway::control_api {

enum class Action { start, stop, restart };

}  // namespace causeway::control_api
