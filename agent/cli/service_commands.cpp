// `causeway logs`, `start`, `stop` and `restart`.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "control_api/status.h"
#include "control_client/agent_contact.h"
#include "json/json.h"

namespace causeway::cli {
namespace {

// How long a follower waits for init to start the agent again: its longest back-off is 5 s.
constexpr std::uint64_t kReconnectMs = 15'000;

class LogPrinter {
 public:
  explicit LogPrinter(bool names) : names_(names) {}

  bool print(std::string_view json_line) {
    const auto json = json::Json::parse(json_line);
    if (!json) return true;
    const std::string service = (*json)["service"].string_or("");
    if (const auto dropped = (*json)["dropped"].as_int()) {
      std::fflush(stdout);
      std::fprintf(stderr, "causeway: %lld lines left out: they came faster than this terminal\n",
                   static_cast<long long>(*dropped));
      return true;
    }
    const std::string line = (*json)["line"].string_or("");
    std::string out;
    if (names_) {
      width_ = std::max(width_, service.size());
      std::string name = service + std::string(width_ - service.size(), ' ') + " | ";
      out += terminal_.paint(text::printable(name), Colour::dim);
    }
    // What daemons print must not steer a terminal; a file gets it as it is.
    out += terminal_.interactive ? text::printable(line) : line;
    out += '\n';
    return std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
  }

 private:
  const bool names_;
  const Terminal terminal_ = Terminal::of(STDOUT_FILENO);
  std::size_t width_ = 0;
};

std::string logs_target(const LogsOptions& options, bool again) {
  std::string out = "/v1/logs?follow=";
  out += options.follow ? "1" : "0";
  if (again) {
    out += "&tail=100000&fresh=1";
  } else if (options.tail) {
    out += "&tail=" + std::to_string(*options.tail);
  }
  if (!options.service.empty()) out += "&service=" + text::percent_encoded(options.service);
  return out;
}

// "there are: containerd, dockerd", for somebody who mistyped.
std::string known_services(control_client::ControlClient& client) {
  auto reply = client.request("GET", "/v1/status", control_client::kAnswerMs);
  if (!reply || reply->status != 200) return "";
  auto status = control_api::status_from_json(reply->body);
  if (!status) return "";
  std::string out;
  for (const auto& service : status->services)
    out += (out.empty() ? "" : ", ") + text::printable(service.name);
  return out.empty() ? "  No services are configured.\n" : "  There are: " + out + ".\n";
}

int fail(control_client::ControlClient& client, const control_client::ControlClient::Reply& reply) {
  auto failure = control_client::explain(reply);
  if (reply.status == 404) failure.text += known_services(client);
  return control_client::report(failure);
}

}  // namespace

int run_logs(const LogsOptions& options) {
  const std::string socket = control_client::control_socket(options.run);
  LogPrinter printer(options.service.empty());
  bool again = false;
  for (;;) {
    auto client = again ? control_client::connect_when_there(
                              socket, control_client::steady_ms() + kReconnectMs)
                        : control_client::ControlClient::connect(socket);
    if (!client) return control_client::report(control_client::explain(client.error(), socket));
    bool printing = true;
    auto reply =
        client->lines(logs_target(options, again), std::nullopt, [&](std::string_view line) {
          printing = printer.print(line);
          if (options.follow) std::fflush(stdout);
          return printing;
        });
    if (reply && reply->status != 200) return fail(*client, *reply);
    if (!printing) return kDone;  // nobody reads any more
    if (!options.follow)
      return reply ? kDone : control_client::report(control_client::explain(reply.error(), socket));
    if (!reply && reply.error().code != ECONNRESET && reply.error().code != ETIMEDOUT)
      return control_client::report(control_client::explain(reply.error(), socket));
    // The agent restarts; what the services print meanwhile waits in their FIFOs for it.
    again = true;
  }
}

int run_act(const ActOptions& options) {
  const std::string socket = control_client::control_socket(options.run);
  auto client = control_client::ControlClient::connect(socket);
  if (!client) return control_client::report(control_client::explain(client.error(), socket));
  const std::string verb(name_of(options.action));
  std::string target = "/v1/services/" + text::percent_encoded(options.service) + "/" + verb;
  if (options.wait) target += "?wait=1&timeout_s=" + std::to_string(options.timeout_s);
  if (options.wait && Terminal::of(STDERR_FILENO).interactive)
    std::fprintf(stderr, "%s: %s, waiting…\n", text::printable(options.service).c_str(),
                 verb.c_str());
  auto reply = client->request(
      "POST", target, control_client::kAnswerMs + (options.wait ? options.timeout_s * 1000 : 0));
  if (!reply) return control_client::report(control_client::explain(reply.error(), socket));
  if (reply->status != 200 && reply->status != 202) {
    const int code = fail(*client, *reply);
    if (reply->status == 500)
      std::fprintf(stderr, "  See `causeway logs %s`.\n", text::printable(options.service).c_str());
    return code;
  }
  const auto service = control_api::service_from_json(reply->body);
  if (!service)
    return control_client::report(
        {kInternal, "causeway: the agent's answer: " + service.error().message + "\n"});
  std::printf("%s %s%s\n", text::printable(service->name).c_str(),
              std::string(name_of(service->state)).c_str(),
              service->pid ? (", pid " + std::to_string(*service->pid)).c_str() : "");
  return kDone;
}

}  // namespace causeway::cli
