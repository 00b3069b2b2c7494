#include "attach/attach_command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "attach/engine_shell.h"
#include "attach/engine_start.h"
#include "attach/transport_pump.h"
#include "attach/welcome.h"
#include "base/exit_code.h"
#include "base/text.h"
#include "control_api/status.h"
#include "control_client/agent_contact.h"
#include "io/endpoint.h"
#include "io/loop.h"
#include "process/reaper.h"
#include "process/run_once.h"
#include "wire/attach_line.h"

namespace causeway::attach {
namespace {

// wslinfo asks WSL's init over a socket: milliseconds. Without an answer Windows finds the VM by
// other means, or the link goes over this command's own input and output.
constexpr std::uint64_t kVmIdMs = 2'000;
constexpr const char* kWslInfo = "/usr/bin/wslinfo";

int refuse(int code, const std::string& what) {
  return control_client::report({code, "causeway attach: " + what + "\n"});
}

int code_of(const Error& error) {
  switch (error.code) {
    case EPERM:
    case EACCES:
      return kNotAllowed;
    case ETIMEDOUT:
      return kTimedOut;
    default:
      return kSetUpFailed;
  }
}

// `wslinfo --vm-id` (WSL 2.5.10 and later); empty when there is no such program or answer.
std::string ask_vm_id() {
  if (::access(kWslInfo, X_OK) != 0) return {};
  io::Loop loop;
  process::Reaper reaper(loop);
  std::string answer;
  process::RunOnce ask(loop, reaper, {kWslInfo, "--vm-id"}, {"PATH=/usr/bin:/bin"}, kVmIdMs,
                       [&](const process::RunOnce::Outcome& outcome) {
                         if (outcome.success()) answer = text::trim(outcome.output);
                         loop.stop();
                       });
  loop.run();
  return wire::is_vm_id(answer) ? answer : "";
}

Result<control_api::LinkContact> ask_contact(control_client::ControlClient& client) {
  auto reply = client.request("GET", "/v1/link", control_client::kAnswerMs);
  if (!reply) return std::move(reply).error().with("ask the agent for its link");
  if (reply->status != 200)
    return make_error("ask the agent for its link: " + std::to_string(reply->status) + " " +
                      reply->message());
  return control_api::link_contact_from_json(reply->body);
}

int carry_link(const AttachOptions& options, control_client::ControlClient& client) {
  const auto contact = ask_contact(client);
  if (!contact) return refuse(kInternal, contact.error().message);
  auto link = io::connect_unix(options.run + "/link.sock");
  if (!link) return refuse(kNotRunning, link.error().message);
  const auto nonce = wire::nonce_from_hex(contact->nonce);
  if (!nonce) return refuse(kInternal, "ask the agent for its link: its nonce makes no sense");
  const std::string line =
      wire::attach_line({CAUSEWAY_VERSION, contact->major, ask_vm_id(), contact->port, *nonce});
  std::signal(SIGPIPE, SIG_IGN);
  if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    return refuse(kSetUpFailed, "nobody reads what this command says");
  const auto carried = carry(STDIN_FILENO, STDOUT_FILENO, link->get());
  if (!carried) return refuse(kDone, "the Windows side is gone: " + carried.error().message);
  // The agent ends a link when it stops, or when it refuses it; that is told within the link.
  return refuse(kNotRunning, "the agent has ended the link");
}

int open_shell(const AttachOptions& options, control_client::ControlClient& client) {
  auto reply = client.request("GET", "/v1/status", control_client::kAnswerMs);
  const auto status = reply && reply->status == 200
                          ? control_api::status_from_json(reply->body)
                          : Result<control_api::ProductStatus>(make_error("no status"));
  if (status) std::fputs(welcome(*status).c_str(), stderr);
  auto code = run_engine_shell(control_client::control_socket(options.run));
  if (!code) return refuse(kSetUpFailed, code.error().message);
  return *code;
}

}  // namespace

int run_attach(const AttachOptions& options) {
  if (::geteuid() != 0)
    return refuse(kNotAllowed,
                  "root is needed: the engine's namespaces are root's\n  From Windows: wsl.exe -d "
                  "docker-desktop -u root");
  auto client = bring_up(options, control_client::steady_ms() + options.timeout_s * 1000);
  if (!client) return refuse(code_of(client.error()), client.error().message);
  const bool person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  return options.shell || person ? open_shell(options, *client) : carry_link(options, *client);
}

}  // namespace causeway::attach
