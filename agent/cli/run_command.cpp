// From a parsed command to the function that does it.
#include <variant>

#include "cli/commands.h"
#include "settings/settings.h"

namespace causeway::cli {
namespace {

int start(const StatusOptions& options) { return run_status(options); }
int start(const LogsOptions& options) { return run_logs(options); }
int start(const ActOptions& options) { return run_act(options); }
int start(const VersionOptions& options) { return run_version(options); }
int start(const CheckConfigOptions& options) { return run_check_config(options); }
int start(const daemon::AgentOptions& options) { return daemon::run_agent(options); }
int start(const attach::AttachOptions& options) { return attach::run_attach(options); }
int start(const engine_setup::AwaitSharesOptions& options) {
  return engine_setup::run_await_shares(options);
}
int start(const DistroOptions& options) { return run_distro(options); }
int start(const distro::Options& options) { return distro::run(options); }
int start(const engine_setup::EngineConfigOptions& options) {
  settings::Settings settings(options.etc);
  const auto loaded = settings.file.load();
  return engine_setup::run_engine_config(
      options, loaded ? Result(settings.engine.in_force()) : loaded.error());
}
int start(const engine_setup::HostSetupOptions& options) {
  settings::Settings settings(options.etc);
  (void)settings.file.load();  // the step after this one tells what is wrong
  return engine_setup::run_host_setup(options, settings.host.in_force());
}
int start(const init::InitOptions& options) { return init::run_init(options); }
int start(const WalkOptions&) { return walk::run_walk(); }

}  // namespace

int run(const Command& command) {
  return std::visit([](const auto& options) { return start(options); }, command);
}

}  // namespace causeway::cli
