#include "control_api/status.h"

#include <array>
#include <ctime>
#include <limits>

#include "json/json.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr std::array<std::string_view, 9> kServiceStates = {"off",         "waiting",  "starting",
                                                            "ready",       "stopping", "killing",
                                                            "backing-off", "failed",   "invalid"};
constexpr std::array<std::string_view, 4> kEngineStates = {"absent", "starting", "ready", "down"};

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

Json strings(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const auto& text : texts) out.push(text);
  return out;
}

std::vector<std::string> strings(const Json& array) {
  std::vector<std::string> out;
  for (const Json& item : array.items()) out.push_back(item.string_or(""));
  return out;
}

std::uint64_t count(const Json& value) {
  const auto number = value.int_or(0);
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
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
      {"needs", strings(service.needs)},
      {"last_lines", strings(service.last_lines)},
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
  out.needs = strings(json["needs"]);
  out.last_lines = strings(json["last_lines"]);
  return out;
}

Json describe(const DistroStatus& distro) {
  Json items = Json::array();
  for (const auto& item : distro.items)
    items.push(Json::object({{"what", item.what},
                             {"path", item.path},
                             {"state", item.state},
                             {"reason", item.reason}}));
  return Json::object({
      {"name", distro.name},
      {"enabled", distro.enabled},
      {"state", distro.state},
      {"reason", distro.reason},
      {"mounts", distro.mounts},
      {"socket", distro.socket},
      {"helper", distro.helper},
      {"report", Json::object({{"items", std::move(items)}, {"notes", strings(distro.notes)}})},
  });
}

DistroStatus read_distro(const Json& json) {
  DistroStatus out;
  out.name = json["name"].string_or("");
  out.enabled = json["enabled"].bool_or(false);
  out.state = json["state"].string_or("");
  out.reason = json["reason"].string_or("");
  out.mounts = count(json["mounts"]);
  out.socket = json["socket"].string_or("");
  out.helper = json["helper"].bool_or(false);
  for (const Json& item : json["report"]["items"].items())
    out.items.push_back({item["what"].string_or(""), item["path"].string_or(""),
                         item["state"].string_or(""), item["reason"].string_or("")});
  out.notes = strings(json["report"]["notes"]);
  return out;
}

Json describe(const std::vector<DistroStatus>& distros) {
  Json out = Json::array();
  for (const auto& distro : distros) out.push(describe(distro));
  return out;
}

Json describe(const LinkStatus& link) {
  Json listeners = Json::array();
  for (const auto& listener : link.listeners)
    listeners.push(Json::object({{"carrier", listener.carrier},
                                 {"address", listener.address},
                                 {"state", listener.state},
                                 {"reason", listener.reason}}));
  return Json::object({{"connected", link.connected},
                       {"carrier", link.carrier},
                       {"age_s", link.age_s},
                       {"sessions", link.sessions},
                       {"streams", link.streams},
                       {"listeners", std::move(listeners)},
                       {"refusal", link.refusal},
                       {"refusal_age_s", link.refusal_age_s}});
}

LinkStatus read_link(const Json& json) {
  LinkStatus out;
  out.connected = json["connected"].bool_or(false);
  out.carrier = json["carrier"].string_or("");
  out.age_s = count(json["age_s"]);
  out.sessions = count(json["sessions"]);
  out.streams = count(json["streams"]);
  for (const Json& item : json["listeners"].items())
    out.listeners.push_back({item["carrier"].string_or(""), item["address"].string_or(""),
                             item["state"].string_or(""), item["reason"].string_or("")});
  out.refusal = json["refusal"].string_or("");
  out.refusal_age_s = count(json["refusal_age_s"]);
  return out;
}

}  // namespace

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

std::string to_json(const ClockStep& step) {
  return Json::object({{"stepped", step.stepped}, {"offset_ms", step.offset_ms}}).dump();
}

Result<std::int64_t> unix_ms_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  std::int64_t out = 0;
  json::ObjectReader in(*json);
  in.require("unix_ms").read("unix_ms", out, 0, std::numeric_limits<std::int64_t>::max());
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

std::string to_json(const DistroStatus& distro) { return describe(distro).dump(); }

std::string distros_json(const ProductStatus& status) {
  return Json::object({{"distros", describe(status.distros)}, {"wanted", strings(status.wanted)}})
      .dump();
}

std::string_view name_of(ServiceState state) {
  return kServiceStates[static_cast<std::size_t>(state)];
}

std::optional<ServiceState> service_state(std::string_view name) {
  for (std::size_t i = 0; i < kServiceStates.size(); ++i)
    if (kServiceStates[i] == name) return static_cast<ServiceState>(i);
  return std::nullopt;
}

std::string_view name_of(EngineState state) {
  return kEngineStates[static_cast<std::size_t>(state)];
}

const ServiceStatus* ProductStatus::find(std::string_view service) const {
  for (const auto& candidate : services)
    if (candidate.name == service) return &candidate;
  return nullptr;
}

std::string to_json(const ServiceStatus& service) { return describe(service).dump(); }

std::string to_json(const LogLine& line) {
  std::string out = "{\"service\":";
  json::append_quoted(out, line.service);
  out += ",\"line\":";
  json::append_quoted(out, line.line);
  return out += '}';
}

std::string error_json(std::string_view message) {
  return Json::object({{"message", message}}).dump();
}

std::string dropped_json(std::string_view service, std::uint64_t lines) {
  return Json::object({{"service", service}, {"dropped", lines}}).dump();
}

std::string version_json(std::string_view version) {
  return Json::object({{"version", version}, {"api", 1}}).dump();
}

std::string to_json(const ProductStatus& status) {
  Json services = Json::array();
  for (const auto& service : status.services) services.push(describe(service));
  Json sockets = Json::array();
  for (const auto& socket : status.sockets)
    sockets.push(Json::object({{"path", socket.path},
                               {"purpose", socket.purpose},
                               {"connections", socket.connections},
                               {"streams", socket.streams}}));
  Json notes = Json::array();
  for (const auto& note : status.notes)
    notes.push(Json::object({{"level", note.warning ? "warning" : "info"}, {"text", note.text}}));
  const auto& agent = status.agent;
  return Json::object({
                          {"engine", Json::object({{"state", name_of(status.engine.state)},
                                                   {"reason", status.engine.reason},
                                                   {"age_s", status.engine.age_s}})},
                          {"agent", Json::object({{"version", agent.version},
                                                  {"pid", agent.pid},
                                                  {"age_s", agent.age_s},
                                                  {"starts", agent.starts},
                                                  {"memory_bytes", agent.memory_bytes}})},
                          {"services", std::move(services)},
                          {"sockets", std::move(sockets)},
                          {"distros", describe(status.distros)},
                          {"wanted", strings(status.wanted)},
                          {"link", describe(status.link)},
                          {"notes", std::move(notes)},
                      })
      .dump();
}

Result<ServiceStatus> service_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  return read_service(*json);
}

Result<std::vector<DistroStatus>> distros_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  std::vector<DistroStatus> out;
  for (const Json& item : (*json)["distros"].items()) out.push_back(read_distro(item));
  return out;
}

Result<ProductStatus> status_from_json(std::string_view text) {
  auto parsed = Json::parse(text);
  if (!parsed) return std::move(parsed).error();
  const Json& json = *parsed;
  ProductStatus out;
  const Json& engine = json["engine"];
  std::size_t state = 0;
  while (state < kEngineStates.size() && kEngineStates[state] != engine["state"].string_or(""))
    ++state;
  if (state == kEngineStates.size())
    return make_error("unknown engine state " + engine["state"].string_or(""));
  out.engine = {static_cast<EngineState>(state), engine["reason"].string_or(""),
                count(engine["age_s"])};
  const Json& agent = json["agent"];
  out.agent = {agent["version"].string_or(""), agent["pid"].int_or(0), count(agent["age_s"]),
               count(agent["starts"]), count(agent["memory_bytes"])};
  for (const Json& item : json["services"].items()) {
    auto service = read_service(item);
    if (!service) return std::move(service).error();
    out.services.push_back(*std::move(service));
  }
  for (const Json& item : json["sockets"].items())
    out.sockets.push_back({item["path"].string_or(""), item["purpose"].string_or(""),
                           count(item["connections"]), count(item["streams"])});
  for (const Json& item : json["distros"].items()) out.distros.push_back(read_distro(item));
  out.link = read_link(json["link"]);
  out.wanted = strings(json["wanted"]);
  for (const Json& item : json["notes"].items())
    out.notes.push_back({item["level"].string_or("") == "warning", item["text"].string_or("")});
  return out;
}

}  // namespace causeway::control_api
