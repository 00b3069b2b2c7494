#include "control_api/distros.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr EnumNames<DistroState, 6> kDistroStates = {
    {"attached", "waiting", "refused", "failed", "disabled", "stopped"}};
constexpr std::size_t kMostReason = 1024;  // a line or two for people
constexpr EnumNames<ItemState, 4> kItemStates = {{"added", "kept", "left_alone", "failed"}};

Json describe(const DistroStatus& distro) {
  Json items = Json::array();
  for (const auto& item : distro.items)
    items.push(Json::object({{"what", item.what},
                             {"path", item.path},
                             {"state", name_of(item.state)},
                             {"reason", item.reason}}));
  return Json::object({
      {"name", distro.name},
      {"enabled", distro.enabled},
      {"state", name_of(distro.state)},
      {"reason", distro.reason},
      {"mounts", distro.mounts},
      {"socket", distro.socket},
      {"helper", distro.helper},
      {"report", Json::object({{"items", std::move(items)}, {"notes", texts(distro.notes)}})},
  });
}

Json describe(const std::vector<DistroStatus>& distros) {
  Json out = Json::array();
  for (const auto& distro : distros) out.push(describe(distro));
  return out;
}

Result<DistroStatus> read_distro(const Json& json) {
  DistroStatus out;
  out.name = json["name"].string_or("");
  out.enabled = json["enabled"].bool_or(false);
  const auto state = kDistroStates.find(json["state"].string_or(""));
  if (!state) return make_error("a distro in an unknown state " + json["state"].string_or(""));
  out.state = *state;
  out.reason = json["reason"].string_or("");
  out.mounts = count(json["mounts"]);
  out.socket = json["socket"].string_or("");
  out.helper = json["helper"].bool_or(false);
  for (const Json& item : json["report"]["items"].items()) {
    const auto became = kItemStates.find(item["state"].string_or(""));
    if (!became) return make_error("an item in an unknown state " + item["state"].string_or(""));
    out.items.push_back({item["what"].string_or(""), item["path"].string_or(""), *became,
                         item["reason"].string_or("")});
  }
  out.notes = texts(json["report"]["notes"]);
  return out;
}

}  // namespace

std::string_view name_of(DistroState state) { return kDistroStates.of(state); }
std::string_view name_of(ItemState state) { return kItemStates.of(state); }

std::string to_json(const std::vector<DistroStatus>& distros) { return describe(distros).dump(); }

Status read(const Json& json, std::vector<DistroStatus>& out) {
  for (const Json& item : json.items()) {
    auto distro = read_distro(item);
    if (!distro) return std::move(distro).error();
    out.push_back(*std::move(distro));
  }
  return Ok{};
}

std::string to_json(const DistroStatus& distro) { return describe(distro).dump(); }

std::string to_json(const Wanted& wanted) { return texts(wanted.distros).dump(); }

Status read(const Json& json, Wanted& out) {
  out.distros = texts(json);
  return Ok{};
}

std::string to_json(const HelperFailure& failure) {
  return Json::object({{"reason", failure.reason}}).dump();
}

Result<HelperFailure> helper_failure_from_json(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json) return json.error();
  HelperFailure out;
  json::ObjectReader in(*json);
  in.require("reason").read("reason", out.reason);
  if (out.reason.size() > kMostReason) in.fail("reason", "is longer than 1024 bytes");
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

std::string distros_json(const std::vector<DistroStatus>& distros, const Wanted& wanted) {
  return Json::object({{"distros", describe(distros)}, {"wanted", texts(wanted.distros)}}).dump();
}

Result<std::vector<DistroStatus>> distros_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  std::vector<DistroStatus> out;
  if (auto done = read((*json)["distros"], out); !done) return std::move(done).error();
  return out;
}

}  // namespace causeway::control_api
