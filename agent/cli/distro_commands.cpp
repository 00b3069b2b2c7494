// `causeway distro list`, `status`, `enable`, `disable` and `forget`: what the agent knows of the
// distros.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/distro_view.h"
#include "control_api/status.h"
#include "control_client/agent_contact.h"

namespace causeway::cli {
namespace {

using control_api::DistroState;
using control_api::DistroStatus;

std::string known_distros(const std::vector<DistroStatus>& distros) {
  std::string out;
  for (const auto& distro : distros)
    out += (out.empty() ? "" : ", ") + text::printable(distro.name);
  return out.empty() ? "No distro is known yet: its helper has never called." : "There are: " + out;
}

const DistroStatus* find(const std::vector<DistroStatus>& distros, const std::string& name) {
  // As WSL compares names.
  const auto found = std::find_if(distros.begin(), distros.end(), [&](const auto& distro) {
    return text::iequals(distro.name, name);
  });
  return found == distros.end() ? nullptr : &*found;
}

int unknown(const std::vector<DistroStatus>& distros, const std::string& name) {
  return control_client::report({kNo, "causeway: no distro " + text::printable(name) +
                                          " is known\n  " + known_distros(distros) + ".\n"});
}

// Enabling has an end only when the distro runs: it is started by Windows, not by us.
bool reached(const DistroStatus& distro, bool enable) {
  if (enable) return distro.state != DistroState::waiting || !distro.helper;
  return distro.state == DistroState::disabled && !distro.helper && distro.mounts == 0;
}

int show(const DistroOptions& options, control_client::ControlClient& client,
         const std::string& socket) {
  auto reply = client.request("GET", "/v1/distros", control_client::kAnswerMs);
  if (!reply) return control_client::report(control_client::explain(reply.error(), socket));
  if (reply->status != 200) return control_client::report(control_client::explain(*reply));
  if (options.json && options.name.empty()) {
    std::printf("%s\n", reply->body.c_str());
    return kDone;
  }
  auto distros = control_api::distros_from_json(reply->body);
  if (!distros)
    return control_client::report({kInternal, "causeway: the agent's answer: " +
                                                  text::printable(distros.error().message) + "\n"});
  if (!options.name.empty()) {
    const auto* one = find(*distros, options.name);
    if (one == nullptr) return unknown(*distros, options.name);
    distros = std::vector<DistroStatus>{*one};
    if (options.json) {
      std::printf("%s\n", control_api::to_json((*distros)[0]).c_str());
      return (*distros)[0].state == DistroState::attached ? kDone : kNo;
    }
  }
  const bool every_item = options.action == DistroOptions::Action::status;
  std::fputs(distros->empty()
                 ? (known_distros(*distros) + "\n").c_str()
                 : distro_table(*distros, every_item, Terminal::of(STDOUT_FILENO)).c_str(),
             stdout);
  const bool one_away = !options.name.empty() && (*distros)[0].state != DistroState::attached;
  return one_away ? kNo : kDone;
}

// The agent knows none of that name: which it knows.
int unknown_to(control_client::ControlClient& client, const std::string& name) {
  auto list = client.request("GET", "/v1/distros", control_client::kAnswerMs);
  auto distros =
      list ? control_api::distros_from_json(list->body) : Result(std::vector<DistroStatus>{});
  return unknown(distros ? *distros : std::vector<DistroStatus>{}, name);
}

int forget(const DistroOptions& options, control_client::ControlClient& client,
           const std::string& socket) {
  auto reply = client.request("DELETE", "/v1/distros/" + text::percent_encoded(options.name),
                              control_client::kAnswerMs);
  if (!reply) return control_client::report(control_client::explain(reply.error(), socket));
  if (reply->status == 404) return unknown_to(client, options.name);
  if (reply->status != 204) return control_client::report(control_client::explain(*reply));
  std::printf("%s is forgotten\n", text::printable(options.name).c_str());
  return kDone;
}

int change(const DistroOptions& options, control_client::ControlClient& client,
           const std::string& socket) {
  const bool enable = options.action == DistroOptions::Action::enable;
  auto reply = client.request(
      "POST",
      "/v1/distros/" + text::percent_encoded(options.name) + (enable ? "/enable" : "/disable"),
      control_client::kAnswerMs);
  if (!reply) return control_client::report(control_client::explain(reply.error(), socket));
  if (reply->status == 404) return unknown_to(client, options.name);
  if (reply->status != 204) return control_client::report(control_client::explain(*reply));
  if (!options.wait) return kDone;
  DistroStatus last;
  bool done = false;
  auto events = client.lines("/v1/events", control_client::steady_ms() + options.timeout_s * 1000,
                             [&](std::string_view line) {
                               const auto status = control_api::status_from_json(line);
                               if (!status) return false;
                               const auto* one = find(status->distros, options.name);
                               if (one == nullptr) return true;
                               last = *one;
                               done = reached(last, enable);
                               return !done;
                             });
  if (!done) {
    if (!events && events.error().code != ETIMEDOUT)
      return control_client::report(control_client::explain(events.error(), socket));
    return control_client::report(
        {kTimedOut, "causeway: " + text::printable(options.name) + " did not get there within " +
                        std::to_string(options.timeout_s) + " s; it goes on\n"});
  }
  std::printf("%s %s%s\n", text::printable(last.name).c_str(),
              std::string(name_of(last.state)).c_str(),
              last.reason.empty() ? "" : (": " + text::printable(last.reason)).c_str());
  if (enable && last.state == DistroState::stopped)
    std::printf("  It will be integrated when it is started next: wsl -d %s\n",
                text::printable(last.name).c_str());
  const bool wrong = last.state == DistroState::refused || last.state == DistroState::failed;
  return wrong ? kNo : kDone;
}

}  // namespace

int run_distro(const DistroOptions& options) {
  const std::string socket = control_client::control_socket(options.run);
  auto client = control_client::ControlClient::connect(socket);
  if (!client) return control_client::report(control_client::explain(client.error(), socket));
  switch (options.action) {
    case DistroOptions::Action::list:
    case DistroOptions::Action::status:
      return show(options, *client, socket);
    case DistroOptions::Action::enable:
    case DistroOptions::Action::disable:
      return change(options, *client, socket);
    case DistroOptions::Action::forget:
      return forget(options, *client, socket);
  }
  return kUsage;
}

}  // namespace causeway::cli
