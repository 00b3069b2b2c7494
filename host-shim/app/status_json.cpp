#include "app/status_json.h"

#include <windows.h>

#include <nlohmann/json.hpp>

namespace causeway::shim::app {
namespace {

using Json = nlohmann::json;

Json pipes_json(const std::vector<ShimStatus::Pipe>& pipes) {
  Json out = Json::array();
  for (const auto& pipe : pipes)
    out.push_back({{"name", pipe.name}, {"serving", pipe.serving}, {"reason", pipe.reason}});
  return out;
}

Json distros_json(const std::vector<EnabledDistros::Shown>& distros) {
  Json out = Json::array();
  for (const auto& distro : distros)
    out.push_back({{"name", distro.name},
                   {"enabled", distro.enabled},
                   {"helper", distro.state},
                   {"reason", distro.reason},
                   {"pid", distro.pid}});
  return out;
}

std::string text_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}

void add_line(std::string& out, const std::string& title, const std::string& text) {
  if (text.empty()) return;
  out += title + std::string(title.size() < 10 ? 10 - title.size() : 1, ' ') + text + "\n";
}

}  // namespace

std::string to_json(const ShimStatus& status, const std::vector<EnabledDistros::Shown>& distros,
                    const StatusParts& parts) {
  const Json out{
      {"version", CAUSEWAY_VERSION},
      {"pid", GetCurrentProcessId()},
      {"state", status.state},
      {"reason", status.reason},
      {"connected", status.connected()},
      {"link",
       {{"transport", status.transport},
        {"transport_reason", status.transport_reason},
        {"connected_ms", status.connected_ms},
        {"agent_version", status.agent_version},
        {"vm_id", status.vm_id},
        {"streams", status.streams},
        {"links_total", status.links_total}}},
      {"pipes", pipes_json(status.pipes)},
      {"attach",
       {{"pid", status.attach.pid},
        {"starts", status.attach.starts},
        {"last_end", status.attach.last_end},
        {"last_lines", status.attach.last_lines}}},
      {"clients",
       {{"now", status.clients},
        {"total", status.clients_total},
        {"refused", status.refused_total}}},
      {"distros", distros_json(distros)},
      {"settings",
       {{"file", parts.settings_file}, {"log", parts.log_file}, {"problems", parts.problems}}},
      {"handles", status.handles}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_connected(const std::string& json) {
  const auto status = Json::parse(json, nullptr, false);
  return status.is_object() && status.value("connected", false);
}

std::string status_screen(const std::string& json) {
  const auto status = Json::parse(json, nullptr, false);
  if (!status.is_object()) return "an answer that makes no sense\n";
  std::string out;
  add_line(out, "shim",
           text_of(status, "state") + ", version " + text_of(status, "version") + ", pid " +
               std::to_string(status.value("pid", 0)));
  add_line(out, "", text_of(status, "reason"));
  if (const auto link = status.value("link", Json::object()); !text_of(link, "transport").empty()) {
    add_line(out, "link",
             text_of(link, "transport") + ", agent " + text_of(link, "agent_version") + ", for " +
                 std::to_string(link.value("connected_ms", std::uint64_t{0}) / 1000) + " s, " +
                 std::to_string(link.value("streams", 0)) + " streams");
    add_line(out, "", text_of(link, "transport_reason"));
  }
  for (const auto& pipe : status.value("pipes", Json::array())) {
    add_line(out, "pipe",
             text_of(pipe, "name") + (pipe.value("serving", false) ? "" : " (not served)"));
    add_line(out, "", text_of(pipe, "reason"));
  }
  const auto attach = status.value("attach", Json::object());
  add_line(out, "attach", text_of(attach, "last_end"));
  if (text_of(status, "state") != "connected")
    for (const auto& line : attach.value("last_lines", Json::array()))
      if (line.is_string()) add_line(out, "", line.get<std::string>());
  for (const auto& problem :
       status.value("settings", Json::object()).value("problems", Json::array()))
    if (problem.is_string()) add_line(out, "problem", problem.get<std::string>());
  return out + distro_screen(json);
}

std::string distro_screen(const std::string& json) {
  const auto status = Json::parse(json, nullptr, false);
  std::string out;
  if (!status.is_object()) return out;
  for (const auto& distro : status.value("distros", Json::array())) {
    const bool enabled = distro.value("enabled", false);
    add_line(out, "distro",
             text_of(distro, "name") + ": " +
                 (enabled ? "enabled, its helper: " + text_of(distro, "helper")
                          : std::string("not enabled")));
    add_line(out, "", text_of(distro, "reason"));
  }
  return out;
}

}  // namespace causeway::shim::app
