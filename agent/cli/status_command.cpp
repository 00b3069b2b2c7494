// `causeway status` and `causeway version`.
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "base/exit_code.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/status_view.h"
#include "control_client/agent_contact.h"
#include "json/json.h"

namespace causeway::cli {
namespace {

// The agent answers in milliseconds; it is silent longer only while init starts it again.
constexpr std::uint64_t kVersionAnswerMs = 1'000;

int show(const std::string& body, const control_api::ProductStatus& status, bool json) {
  const std::string text = json ? body + "\n" : status_screen(status, Terminal::of(STDOUT_FILENO));
  std::fputs(text.c_str(), stdout);
  return is_ready(status) ? kDone : kNo;
}

// One line on the terminal that is written over, and gone at the end.
class Progress {
 public:
  ~Progress() { show(""); }
  void show(const std::string& text) {
    if (!terminal_.interactive || text == shown_) return;
    std::fprintf(stderr, "\r\x1b[K%s", cut(text).c_str());
    std::fflush(stderr);
    shown_ = text;
  }

 private:
  std::string cut(const std::string& text) const {
    return text.size() < terminal_.columns ? text : text.substr(0, terminal_.columns - 1);
  }
  const Terminal terminal_ = Terminal::of(STDERR_FILENO);
  std::string shown_;
};

// What the events have told so far.
struct Wait {
  std::string body;
  std::optional<control_api::ProductStatus> status;
  bool ended = false;  // ready, or hopeless
  std::string malformed;
};

// Follows one connection's events to its end. An agent that restarts ends it, too.
Status follow_events(control_client::ControlClient& client, std::uint64_t deadline, Wait& wait,
                     Progress& progress) {
  auto reply = client.lines("/v1/events", deadline, [&](std::string_view line) {
    auto status = control_api::status_from_json(line);
    if (!status) {
      wait.malformed = status.error().message;
      return false;
    }
    wait.body = line;
    wait.status = *std::move(status);
    wait.ended = is_ready(*wait.status) || is_hopeless(*wait.status);
    progress.show("waiting: " + progress_line(*wait.status));
    return !wait.ended;
  });
  if (!reply) return std::move(reply).error();
  if (!wait.malformed.empty()) return make_error("the agent's status: " + wait.malformed);
  if (reply->status != 200 && reply->status != 0) {
    auto failure = control_client::explain(*reply);
    return Error{reply->message(), failure.exit_code == kNotAllowed ? EACCES : 0};
  }
  return Ok{};
}

int wait_for_ready(const StatusOptions& options) {
  const std::string socket = control_client::control_socket(options.run);
  const auto deadline = control_client::steady_ms() + *options.wait_s * 1000;
  Wait wait;
  Progress progress;
  while (!wait.ended) {
    progress.show("waiting: the agent is not there yet");
    auto client = control_client::connect_when_there(socket, deadline);
    if (client) {
      auto done = follow_events(*client, deadline, wait, progress);
      if (done || done.error().code == ECONNRESET) continue;
      client = std::move(done).error();
    }
    progress.show("");
    if (client.error().code != ETIMEDOUT)
      return control_client::report(control_client::explain(client.error(), socket));
    std::fprintf(stderr, "causeway: not ready within %llu s\n",
                 static_cast<unsigned long long>(*options.wait_s));
    if (!wait.status)
      return control_client::report(
          {kTimedOut, control_client::explain(client.error(), socket).text});
    show(wait.body, *wait.status, options.json);
    return kTimedOut;
  }
  progress.show("");
  return show(wait.body, *wait.status, options.json);
}

}  // namespace

int run_status(const StatusOptions& options) {
  if (options.wait_s) return wait_for_ready(options);
  const std::string socket = control_client::control_socket(options.run);
  auto client = control_client::ControlClient::connect(socket);
  if (!client) return control_client::report(control_client::explain(client.error(), socket));
  auto reply = client->request("GET", "/v1/status", control_client::kAnswerMs);
  if (!reply) return control_client::report(control_client::explain(reply.error(), socket));
  if (reply->status != 200) return control_client::report(control_client::explain(*reply));
  auto status = control_api::status_from_json(reply->body);
  if (!status)
    return control_client::report({kInternal, "causeway: the agent's status: " +
                                                  text::printable(status.error().message) + "\n"});
  return show(reply->body, *status, options.json);
}

int run_version(const VersionOptions& options) {
  std::string agent;
  if (auto client =
          control_client::ControlClient::connect(control_client::control_socket(options.run)))
    if (auto reply = client->request("GET", "/v1/version", kVersionAnswerMs);
        reply && reply->status == 200)
      if (auto json = json::Json::parse(reply->body)) agent = (*json)["version"].string_or("");
  if (options.json) {
    const auto json = json::Json::object(
        {{"version", CAUSEWAY_VERSION}, {"agent", agent.empty() ? json::Json() : agent}});
    std::printf("%s\n", json.dump().c_str());
    return kDone;
  }
  std::printf("causeway %s\n", CAUSEWAY_VERSION);
  std::printf("agent    %s\n",
              agent.empty() ? "not running, or not to be asked" : text::printable(agent).c_str());
  return kDone;
}

}  // namespace causeway::cli
