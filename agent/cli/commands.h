// The commands, each as the options it takes. command_line.h fills them; the run_… functions do
// them and return the exit code. Those that talk to people write to standard output and error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "attach/attach_command.h"
#include "control_api/services.h"
#include "daemon/agent_command.h"
#include "distro/run.h"
#include "engine_setup/await_shares_command.h"
#include "engine_setup/engine_config_command.h"
#include "engine_setup/host_setup_command.h"
#include "init/init.h"
#include "walk/walk_command.h"

namespace causeway::cli {

struct StatusOptions {
  std::string run = "/run/causeway";
  bool json = false;
  std::optional<std::uint64_t> wait_s;
};

struct LogsOptions {
  std::string run = "/run/causeway";
  std::string service;  // empty: all
  bool follow = false;
  std::optional<std::uint64_t> tail;
};

struct ActOptions {
  std::string run = "/run/causeway";
  control_api::Action action = control_api::Action::start;
  std::string service;
  bool wait = true;
  std::uint64_t timeout_s = 120;
};

struct VersionOptions {
  std::string run = "/run/causeway";
  bool json = false;
};

struct CheckConfigOptions {
  std::string run = "/run/causeway";
  std::string data = "/data";
  std::string etc = "/etc/causeway";
  std::string user_file = "/etc/docker/daemon.json";
  std::string dockerd = "/usr/sbin/dockerd";
  std::string versions = "/versions";  // of the engine's root, in docker-desktop's outer one
  bool json = false;
};

struct DistroOptions {
  enum class Action { list, status, enable, disable, forget };
  std::string run = "/run/causeway";
  Action action = Action::list;
  std::string name;  // empty: all
  bool json = false;
  bool wait = true;
  std::uint64_t timeout_s = 60;
};

struct WalkOptions {};

using Command =
    std::variant<StatusOptions, LogsOptions, ActOptions, VersionOptions, CheckConfigOptions,
                 daemon::AgentOptions, attach::AttachOptions, engine_setup::AwaitSharesOptions,
                 DistroOptions, distro::Options, engine_setup::EngineConfigOptions,
                 engine_setup::HostSetupOptions, init::InitOptions, WalkOptions>;

int run_status(const StatusOptions& options);
int run_logs(const LogsOptions& options);
int run_act(const ActOptions& options);
int run_version(const VersionOptions& options);
int run_check_config(const CheckConfigOptions& options);
int run_distro(const DistroOptions& options);

int run(const Command& command);

}  // namespace causeway::cli
