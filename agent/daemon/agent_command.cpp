#include "daemon/agent_command.h"

#include <csignal>
#include <cstdio>
#include <string>

#include "base/descriptor_limit.h"
#include "base/exit_code.h"
#include "base/log.h"
#include "base/text.h"
#include "control_client/agent_contact.h"
#include "control_client/control_client.h"
#include "daemon/agent.h"
#include "fd_store/store_client.h"
#include "io/loop.h"
#include "io/signal.h"

namespace causeway::daemon {
namespace {

int refuse(int code, const std::string& what, const std::string& what_to_do) {
  return control_client::report(
      {code, "causeway agent: " + text::printable(what) + "\n  " + what_to_do + "\n"});
}

}  // namespace

int run_agent(const AgentOptions& options) {
  log::init("agent", log::level_named(options.log_level));
  std::signal(SIGPIPE, SIG_IGN);
  // Before anything else opens descriptors: those of init are known by number.
  auto store = fd_store::StoreClient::from_environment();
  if (!store)
    return refuse(kSetUpFailed, store.error().message,
                  "The variables CAUSEWAY_* are init's; unset them to run without it.");
  if (!store->has_init() &&
      control_client::ControlClient::connect(control_client::control_socket(options.run)))
    return refuse(kOtherRuns, "another agent serves " + control_client::control_socket(options.run),
                  "Stop it, or choose another directory with --run.");
  if (const auto limit = raise_descriptor_limit(); limit < kDescriptors)
    log::warning("agent.few_descriptors", {{"limit", limit}});

  io::Loop loop;
  Agent agent(loop, *std::move(store), options);
  if (auto started = agent.start(); !started)
    return refuse(kSetUpFailed, started.error().message,
                  "Is this root, and can the directories be written?");
  const auto stop = [&] { agent.stop([&] { loop.stop(); }); };
  const io::SignalWatch terminate(loop, SIGTERM, stop);
  const io::SignalWatch interrupt(loop, SIGINT, stop);
  const io::SignalWatch hang_up(loop, SIGHUP, [&] { agent.reload(); });
  loop.run();
  return kDone;
}

}  // namespace causeway::daemon
