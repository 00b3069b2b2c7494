#include "control_api/services.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "control_api/json_fields.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr EnumNames<Action, 3> kActions = {{"start", "stop", "restart"}};
constexpr EnumNames<ServiceState, 9> kServiceStates = {{"off", "waiting", "starting", "ready",
                                                        "stopping", "killing", "backing-off",
                                                        "failed", "invalid"}};

// RFC 3339, in UTC: for machines. People are shown ages.
std::string utc_time(std::int64_t unix_seconds) {
  const auto when = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return out.data();
}

std::int64_t unix_time(const std::string& text) {
  std::tm parts{};
  return ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr ? 0 : ::timegm(&parts);
}

Json describe(const ServiceStatus& service) {
  return Json::object({
      {"name", service.name},
      {"description", service.description},
      {"state", name_of(service.state)},
      {"reason", service.reason},
      {"since", utc_time(service.since)},
      {"age_s", service.age_s},
      {"pid", service.pid ? Json(*service.pid) : Json()},
      {"adopted", service.adopted},
      {"restarts", service.restarts},
      {"last_exit", service.last_exit},
      {"memory_bytes", service.memory_bytes ? Json(*service.memory_bytes) : Json()},
      {"needs", texts(service.needs)},
      {"last_lines", texts(service.last_lines)},
  });
}

Result<ServiceStatus> read_service(const Json& json) {
  ServiceStatus out;
  out.name = json["name"].string_or("");
  const auto state = service_state(json["state"].string_or(""));
  if (out.name.empty() || !state)
    return make_error("a service without a name or with an unknown state " +
                      json["state"].string_or(""));
  out.state = *state;
  out.description = json["description"].string_or("");
  out.reason = json["reason"].string_or("");
  out.since = unix_time(json["since"].string_or(""));
  out.age_s = count(json["age_s"]);
  out.pid = json["pid"].as_int();
  out.adopted = json["adopted"].bool_or(false);
  out.restarts = count(json["restarts"]);
  out.last_exit = json["last_exit"].string_or("");
  if (json["memory_bytes"].as_int()) out.memory_bytes = count(json["memory_bytes"]);
  out.needs = texts(json["needs"]);
  out.last_lines = texts(json["last_lines"]);
  return out;
}

}  // namespace

std::string_view name_of(Action action) { return kActions.of(action); }

std::string_view name_of(ServiceState state) { return kServiceStates.of(state); }
std::optional<ServiceState> service_state(std::string_view name) {
  return kServiceStates.find(name);
}

const ServiceStatus* find(const std::vector<ServiceStatus>& services, std::string_view name) {
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const auto& service) { return service.name == name; });
  return found == services.end() ? nullptr : &*found;
}

std::string to_json(const std::vector<ServiceStatus>& services) {
  Json out = Json::array();
  for (const auto& service : services) out.push(describe(service));
  return out.dump();
}

Status read(const Json& json, std::vector<ServiceStatus>& out) {
  for (const Json& item : json.items()) {
    auto service = read_service(item);
    if (!service) return std::move(service).error();
    out.push_back(*std::move(service));
  }
  return Ok{};
}

std::string to_json(const ServiceStatus& service) { return describe(service).dump(); }

Result<ServiceStatus> service_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  return read_service(*json);
}

}  // namespace causeway::control_api
