#include "control_api/notes.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {

using json::Json;

std::string to_json(const std::vector<Note>& notes) {
  Json out = Json::array();
  for (const auto& note : notes)
    out.push(Json::object({{"level", note.warning ? "warning" : "info"}, {"text", note.text}}));
  return out.dump();
}

Status read(const Json& json, std::vector<Note>& out) {
  for (const Json& item : json.items())
    out.push_back({item["level"].string_or("") == "warning", item["text"].string_or("")});
  return Ok{};
}

}  // namespace causeway::control_api
