#include "app/status_json.h"

#include <windows.h>

namespace causeway::shim::app {
namespace {

using json::Json;

Json texts_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const auto& text : texts) out.push(text);
  return out;
}

Json pipes_json(const std::vector<ShimStatus::Pipe>& pipes) {
  Json out = Json::array();
  for (const auto& pipe : pipes)
    out.push(
        Json::object({{"name", pipe.name}, {"serving", pipe.serving}, {"reason", pipe.reason}}));
  return out;
}

Json distros_json(const std::vector<EnabledDistros::Shown>& distros) {
  Json out = Json::array();
  for (const auto& distro : distros)
    out.push(Json::object({{"name", distro.name},
                           {"enabled", distro.enabled},
                           {"helper", distro.state},
                           {"reason", distro.reason},
                           {"pid", distro.pid}}));
  return out;
}

void add_line(std::string& out, const std::string& title, const std::string& text) {
  if (text.empty()) return;
  out += title + std::string(title.size() < 10 ? 10 - title.size() : 1, ' ') + text + "\n";
}

}  // namespace

Json to_json(const ShimStatus& status, const std::vector<EnabledDistros::Shown>& distros,
             const StatusParts& parts) {
  return Json::object(
      {{"version", CAUSEWAY_VERSION},
       {"pid", GetCurrentProcessId()},
       {"state", status.state},
       {"reason", status.reason},
       {"connected", status.connected()},
       {"link", Json::object({{"transport", status.transport},
                              {"transport_reason", status.transport_reason},
                              {"connected_ms", status.connected_ms},
                              {"agent_version", status.agent_version},
                              {"vm_id", status.vm_id},
                              {"streams", status.streams},
                              {"links_total", status.links_total}})},
       {"pipes", pipes_json(status.pipes)},
       {"attach", Json::object({{"pid", status.attach.pid},
                                {"starts", status.attach.starts},
                                {"last_end", status.attach.last_end},
                                {"last_lines", texts_json(status.attach.last_lines)}})},
       {"clients", Json::object({{"now", status.clients},
                                 {"total", status.clients_total},
                                 {"refused", status.refused_total}})},
       {"distros", distros_json(distros)},
       {"settings", Json::object({{"file", parts.settings_file},
                                  {"log", parts.log_file},
                                  {"problems", texts_json(parts.problems)}})},
       {"handles", status.handles}});
}

bool is_connected(const Json& status) { return status["connected"].bool_or(false); }

std::string status_screen(const Json& status) {
  const auto text = [](const Json& from, const char* key) { return from[key].string_or(""); };
  std::string out;
  add_line(out, "shim",
           text(status, "state") + ", version " + text(status, "version") + ", pid " +
               std::to_string(status["pid"].int_or(0)));
  add_line(out, "", text(status, "reason"));
  if (const auto& link = status["link"]; !text(link, "transport").empty()) {
    add_line(out, "link",
             text(link, "transport") + ", agent " + text(link, "agent_version") + ", for " +
                 std::to_string(link["connected_ms"].int_or(0) / 1000) + " s, " +
                 std::to_string(link["streams"].int_or(0)) + " streams");
    add_line(out, "", text(link, "transport_reason"));
  }
  for (const auto& pipe : status["pipes"].items()) {
    add_line(out, "pipe",
             text(pipe, "name") + (pipe["serving"].bool_or(false) ? "" : " (not served)"));
    add_line(out, "", text(pipe, "reason"));
  }
  const auto& attach = status["attach"];
  add_line(out, "attach", text(attach, "last_end"));
  if (text(status, "state") != "connected")
    for (const auto& line : attach["last_lines"].items()) add_line(out, "", line.string_or(""));
  for (const auto& problem : status["settings"]["problems"].items())
    add_line(out, "problem", problem.string_or(""));
  return out + distro_screen(status);
}

std::string distro_screen(const Json& status) {
  std::string out;
  for (const auto& distro : status["distros"].items()) {
    add_line(out, "distro",
             distro["name"].string_or("") + ": " +
                 (distro["enabled"].bool_or(false)
                      ? "enabled, its helper: " + distro["helper"].string_or("")
                      : "not enabled"));
    add_line(out, "", distro["reason"].string_or(""));
  }
  return out;
}

}  // namespace causeway::shim::app
