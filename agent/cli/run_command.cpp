// From a parsed command to the function that does it.
#include <variant>

#include "cli/commands.h"

namespace causeway::cli {
namespace {

int start(const StatusOptions& options) { return run_status(options); }
int start(const LogsOptions& options) { return run_logs(options); }
int start(const ActOptions& options) { return run_act(options); }
int start(const VersionOptions& options) { return run_version(options); }
int start(const CheckConfigOptions& options) { return run_check_config(options); }
int start(const AgentOptions& options) { return run_agent(options); }
int start(const AttachOptions& options) { return run_attach(options); }
int start(const AwaitSharesOptions& options) { return run_await_shares(options); }
int start(const DistroOptions& options) { return run_distro(options); }
int start(const distro::Options& options) { return distro::run(options); }
int start(const config::EngineConfigOptions& options) { return config::run_engine_config(options); }
int start(const config::HostSetupOptions& options) { return config::run_host_setup(options); }
int start(const boot::InitOptions& options) { return boot::run_init(options); }

}  // namespace

int run(const Command& command) {
  return std::visit([](const auto& options) { return start(options); }, command);
}

}  // namespace causeway::cli
