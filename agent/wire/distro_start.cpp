#include "wire/distro_start.h"

#include "json/json.h"

namespace causeway::wire {

using json::Json;

std::string distro_start_request(std::string_view distro) {
  return Json::object({{"distro", distro}}).dump() + "\n";
}

Result<std::string> parse_distro_start_request(std::string_view line) {
  const auto request = Json::parse(line);
  const auto* distro = request ? (*request)["distro"].as_string() : nullptr;
  if (distro == nullptr || distro->empty() || request->members().size() != 1)
    return make_error("not a line {\"distro\":\"NAME\"}");
  return *distro;
}

std::string distro_start_answer(const DistroStartAnswer& answer) {
  auto json = Json::object({{"started", answer.started}});
  if (!answer.started) json.set("reason", answer.reason);
  return json.dump() + "\n";
}

Result<DistroStartAnswer> parse_distro_start_answer(std::string_view line) {
  const auto answer = Json::parse(line);
  const auto started = answer ? (*answer)["started"].as_bool() : std::nullopt;
  if (!started) return make_error("not a line {\"started\":true} or {\"started\":false,…}");
  return DistroStartAnswer{*started, (*answer)["reason"].string_or("")};
}

}  // namespace causeway::wire
