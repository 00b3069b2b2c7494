#include "control_api/link.h"

#include <limits>

#include "control_api/json_fields.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr EnumNames<ListenerState, 3> kListenerStates = {{"listening", "off", "failed"}};

}  // namespace

std::string_view name_of(ListenerState state) { return kListenerStates.of(state); }

std::string to_json(const LinkStatus& link) {
  Json listeners = Json::array();
  for (const auto& listener : link.listeners)
    listeners.push(Json::object({{"transport", listener.transport},
                                 {"address", listener.address},
                                 {"state", name_of(listener.state)},
                                 {"reason", listener.reason}}));
  return Json::object({{"connected", link.connected},
                       {"transport", link.transport},
                       {"age_s", link.age_s},
                       {"sessions", link.sessions},
                       {"streams", link.streams},
                       {"listeners", std::move(listeners)},
                       {"refusal", link.refusal},
                       {"refusal_age_s", link.refusal_age_s}})
      .dump();
}

Status read(const Json& json, LinkStatus& out) {
  out.connected = json["connected"].bool_or(false);
  out.transport = json["transport"].string_or("");
  out.age_s = count(json["age_s"]);
  out.sessions = count(json["sessions"]);
  out.streams = count(json["streams"]);
  for (const Json& item : json["listeners"].items()) {
    const auto state = kListenerStates.find(item["state"].string_or(""));
    if (!state) return make_error("a listener in an unknown state " + item["state"].string_or(""));
    out.listeners.push_back({item["transport"].string_or(""), item["address"].string_or(""), *state,
                             item["reason"].string_or("")});
  }
  out.refusal = json["refusal"].string_or("");
  out.refusal_age_s = count(json["refusal_age_s"]);
  return Ok{};
}

std::string to_json(const LinkContact& contact) {
  return Json::object({{"nonce", contact.nonce}, {"port", contact.port}, {"major", contact.major}})
      .dump();
}

Result<LinkContact> link_contact_from_json(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json) return json.error();
  LinkContact out;
  const auto port = (*json)["port"].as_int();
  const auto major = (*json)["major"].as_int();
  out.nonce = (*json)["nonce"].string_or("");
  if (out.nonce.empty() || !port || *port < 0 || *port > std::numeric_limits<std::int32_t>::max() ||
      !major || *major < 1 || *major > std::numeric_limits<std::uint16_t>::max())
    return make_error("an answer that is no contact of a link");
  out.port = static_cast<std::uint32_t>(*port);
  out.major = static_cast<std::uint16_t>(*major);
  return out;
}

}  // namespace causeway::control_api
