#include "control_api/sockets.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {

using json::Json;

std::string to_json(const std::vector<SocketStatus>& sockets) {
  Json out = Json::array();
  for (const auto& socket : sockets)
    out.push(Json::object({{"path", socket.path},
                           {"purpose", socket.purpose},
                           {"connections", socket.connections},
                           {"streams", socket.streams},
                           {"stalled", socket.stalled},
                           {"full", socket.full}}));
  return out.dump();
}

Status read(const Json& json, std::vector<SocketStatus>& out) {
  for (const Json& item : json.items())
    out.push_back({item["path"].string_or(""), item["purpose"].string_or(""),
                   count(item["connections"]), count(item["streams"]), count(item["stalled"]),
                   item["full"].bool_or(false)});
  return Ok{};
}

}  // namespace causeway::control_api
