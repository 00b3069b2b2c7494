#include "daemon/agent_command.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>

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

// Two for each of the proxy's 4,096 clients, the pipes of raw streams, and room.
constexpr rlim_t kDescriptors = 65'536;

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) return;
  rlimit wanted{kDescriptors, std::max(limit.rlim_max, kDescriptors)};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
  // Not root: as far as it goes.
  wanted = {std::min(limit.rlim_max, kDescriptors), limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) != 0 || wanted.rlim_cur < kDescriptors)
    log::warning("agent.few_descriptors", {{"limit", wanted.rlim_cur}});
}

log::Level level_of(const std::string& name) {
  if (name == "debug") return log::Level::debug;
  if (name == "warning") return log::Level::warning;
  if (name == "error") return log::Level::error;
  return log::Level::info;
}

int refuse(int code, const std::string& what, const std::string& what_to_do) {
  return control_client::report(
      {code, "causeway agent: " + text::printable(what) + "\n  " + what_to_do + "\n"});
}

}  // namespace

int run_agent(const AgentOptions& options) {
  log::init("agent", level_of(options.log_level));
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
  raise_descriptor_limit();

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
