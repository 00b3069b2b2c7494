#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/exit_code.h"
#include "base/text.h"

namespace causeway::cli {
namespace {

constexpr const char* kFooter =
    "exit codes: 0 done; 1 done, and the answer is no (not ready, failed, problems found);\n"
    "  3 the agent doesn't run; 4 root is needed; 64 wrong usage; 69 another one runs;\n"
    "  70 an answer that makes no sense; 71 set-up failed; 75 not within the time given";

constexpr std::uint64_t kDefaultWaitSeconds = 60;
constexpr std::uint64_t kMaxSeconds = 3600;
constexpr std::uint64_t kMaxTail = 100'000;  // as the agent takes it

// The commands' options, and which of them was named.
struct Parsed {
  StatusOptions status;
  LogsOptions logs;
  ActOptions act;
  VersionOptions version;
  CheckConfigOptions check;
  daemon::AgentOptions agent;
  attach::AttachOptions attach;
  engine_setup::AwaitSharesOptions await_shares;
  DistroOptions distro;
  distro::Options distro_helper;
  engine_setup::EngineConfigOptions engine_config;
  engine_setup::HostSetupOptions host_setup;
  init::InitOptions init;
  std::string wait;
  std::string mode;
  std::string live_restore;
  std::uint64_t stop_timeout = 60;
  std::optional<Command> chosen;
};

// An option for a directory or file: a relative path means what it means here, not wherever the
// agent and its services run.
CLI::Option* path_option(CLI::App& app, const char* name, std::string& path, const char* about,
                         const char* type = "DIR") {
  return app.add_option(name, path, about)
      ->transform([](const std::string& given) {
        std::error_code none;
        auto whole = std::filesystem::absolute(given, none).lexically_normal().string();
        if (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
        return given.empty() || none ? given : whole;
      })
      ->type_name(type)
      ->capture_default_str();
}

void run_option(CLI::App& app, std::string& run) {
  path_option(app, "--run", run, "directory of the agent's sockets");
}

void directory_options(CLI::App& app, std::string& run, std::string& data, std::string& etc) {
  run_option(app, run);
  path_option(app, "--data", data, "directory of images, volumes, logs and state");
  path_option(app, "--etc", etc, "directory of the configuration");
}

void add_status(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand("status", "what runs, since when, and why something doesn't");
  run_option(*cmd, p.status.run);
  cmd->add_flag("--json", p.status.json, "the answer of GET /v1/status (see openapi.json)");
  cmd->add_option("--wait", p.wait,
                  "wait until the engine is ready, at most so long (60 without a number)")
      ->type_name("SECONDS")
      ->expected(0, 1);
  cmd->footer("exit code 0 when the engine is ready, 1 when not, 75 when not in time");
  cmd->final_callback([&p, cmd] {
    if (cmd->count("--wait") > 0) {
      const auto seconds = p.wait.empty() ? kDefaultWaitSeconds : text::to_u64(p.wait);
      if (!seconds || *seconds < 1 || *seconds > kMaxSeconds)
        throw CLI::ValidationError("--wait", "must be a number of seconds from 1 to 3600");
      p.status.wait_s = *seconds;
    }
    p.chosen = p.status;
  });
}

void add_logs(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand("logs", "what the services print");
  run_option(*cmd, p.logs.run);
  cmd->add_flag("-f,--follow", p.logs.follow, "go on with what comes");
  cmd->add_option("-n,--tail", p.logs.tail, "at most so many lines of the past")
      ->type_name("LINES")
      ->check(CLI::Range(std::uint64_t{0}, kMaxTail));
  cmd->add_option("SERVICE", p.logs.service, "only this one");
  cmd->footer("older lines: files in /data/log");
  cmd->final_callback([&p] { p.chosen = p.logs; });
}

void add_act(CLI::App& app, Parsed& p, const char* name, const char* about,
             control_api::Action action) {
  auto* cmd = app.add_subcommand(name, about);
  run_option(*cmd, p.act.run);
  cmd->add_flag("!--no-wait", p.act.wait, "return at once, not when it is done");
  cmd->add_option("--timeout", p.act.timeout_s, "wait at most so long")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::uint64_t{1}, kMaxSeconds))
      ->capture_default_str();
  cmd->add_option("SERVICE", p.act.service, "its name, as in `causeway status`")->required();
  cmd->final_callback([&p, action] {
    p.act.action = action;
    p.chosen = p.act;
  });
}

void add_version(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand("version", "the version of this program and of the agent");
  run_option(*cmd, p.version.run);
  cmd->add_flag("--json", p.version.json, "for programs");
  cmd->final_callback([&p] { p.chosen = p.version; });
}

void add_check_config(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand(
      "check-config", "look for mistakes in service files, settings and the engine's daemon.json");
  directory_options(*cmd, p.check.run, p.check.data, p.check.etc);
  path_option(*cmd, "--user-file", p.check.user_file, "the user's engine settings", "FILE");
  path_option(*cmd, "--dockerd", p.check.dockerd, "the engine, which checks its own settings",
              "FILE");
  path_option(*cmd, "--versions", p.check.versions, "directory of root images");
  cmd->add_flag("--json", p.check.json, "for programs");
  cmd->footer("prints each problem with its file and place; exit code 1 when there is any");
  cmd->final_callback([&p] { p.chosen = p.check; });
}

void add_init(CLI::App& app, Parsed& p) {
  auto* cmd =
      app.add_subcommand("init", "start everything: become PID 1 of the engine's namespace");
  directory_options(*cmd, p.init.run, p.init.data, p.init.etc);
  cmd->add_option("--mode", p.mode, "what this system is")
      ->check(CLI::IsMember({"auto", "pid1", "wsl", "plain"}))
      ->default_str("auto");
  auto* versions = path_option(*cmd, "--versions", p.init.versions, "directory of root images");
  auto* version = cmd->add_option("--version", p.init.version, "the one to run");
  versions->needs(version);
  version->type_name("V")->needs(versions);
  cmd->add_option("--stop-timeout", p.stop_timeout, "for all services to stop")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::uint64_t{1}, kMaxSeconds))
      ->capture_default_str();
  path_option(*cmd, "--agent", p.init.agent, "a program instead of the agent, for tests", "FILE");
  cmd->footer("SIGTERM stops all services in order. Exit code 69 when another init runs.");
  cmd->final_callback([&p] {
    if (auto mode = init::parse_mode(p.mode)) p.init.mode = *mode;
    p.init.stop_timeout = std::chrono::seconds(p.stop_timeout);
    p.chosen = p.init;
  });
}

void add_agent(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand("agent", "run the services and the sockets (init starts it)");
  directory_options(*cmd, p.agent.run, p.agent.data, p.agent.etc);
  cmd->add_option("--log-level", p.agent.log_level, "least important lines to print")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  cmd->footer("SIGTERM stops all services and ends it; SIGHUP reads the service files again");
  cmd->final_callback([&p] { p.chosen = p.agent; });
}

void add_engine_config(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand(
      "engine-config", "write the engine's daemon.json from the user's (a step before dockerd)");
  auto& options = p.engine_config;
  directory_options(*cmd, options.run, options.data, options.etc);
  path_option(*cmd, "--user-file", options.user_file, "the user's engine settings", "FILE");
  path_option(*cmd, "--dockerd", options.dockerd, "the engine, which checks them", "FILE");
  cmd->add_option("--live-restore", p.live_restore,
                  "whether containers outlive dockerd, whatever the settings say")
      ->check(CLI::IsMember({"true", "false"}));
  cmd->add_flag("--accept", options.accept, "the engine is ready with them: they are good");
  cmd->add_flag("--reload", options.reload, "tell the running engine, wait until it has them");
  cmd->final_callback([&p] {
    if (!p.live_restore.empty()) p.engine_config.live_restore = p.live_restore == "true";
    p.chosen = p.engine_config;
  });
}

void add_host_setup(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand("host-setup",
                                 "make the kernel ready for containers (a step before dockerd)");
  run_option(*cmd, p.host_setup.run);
  path_option(*cmd, "--etc", p.host_setup.etc, "directory of the configuration");
  cmd->final_callback([&p] { p.chosen = p.host_setup; });
}

void add_attach(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand(
      "attach", "bring the engine up, and open a shell in it or carry Windows' link");
  auto& options = p.attach;
  directory_options(*cmd, options.run, options.data, options.etc);
  path_option(*cmd, "--versions", options.versions, "directory of root images");
  cmd->add_option("--version", options.version, "the one to run (what DIR/current names)")
      ->type_name("V");
  cmd->add_option("--mode", options.mode, "what this system is")
      ->check(CLI::IsMember({"auto", "wsl", "plain"}))
      ->capture_default_str();
  cmd->add_flag("--shell", options.shell, "open a shell, also without a terminal");
  cmd->add_option("--timeout", options.timeout_s, "wait at most so long for the agent")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::uint64_t{1}, kMaxSeconds))
      ->capture_default_str();
  cmd->footer(
      "With a terminal: a shell in the engine's namespace. Without one, as Windows calls it: the\n"
      "line CAUSEWAY/1 {json} on standard output, then raw bytes of the link. Its end never ends\n"
      "the engine. Init's messages: DATA/log/init.log");
  cmd->final_callback([&p] { p.chosen = p.attach; });
}

void add_await_shares(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand(
      "await-shares", "wait for the distros whose files containers need (a step before dockerd)");
  run_option(*cmd, p.await_shares.run);
  cmd->add_option("--timeout", p.await_shares.timeout_s, "wait at most so long")
      ->type_name("SECONDS")
      ->check(CLI::Range(std::uint64_t{1}, kMaxSeconds))
      ->capture_default_str();
  cmd->final_callback([&p] { p.chosen = p.await_shares; });
}

void add_walk(CLI::App& app, Parsed& p) {
  auto* cmd = app.add_subcommand(
      "walk", "open files that may make one wait for ever (the agent starts it when it must)");
  cmd->footer("nothing to be typed: it talks to the agent over standard input");
  cmd->final_callback([&p] { p.chosen = WalkOptions{}; });
}

void add_distro_action(CLI::App& parent, Parsed& p, const char* name, const char* about,
                       DistroOptions::Action action) {
  using Action = DistroOptions::Action;
  auto* cmd = parent.add_subcommand(name, about);
  run_option(*cmd, p.distro.run);
  if (action != Action::list) {
    auto* distro = cmd->add_option("NAME", p.distro.name, "the distro, as `wsl --list` has it");
    if (action != Action::status) distro->required();
  }
  if (action == Action::list || action == Action::status) {
    cmd->add_flag("--json", p.distro.json, "the answer of GET /v1/distros (see openapi.json)");
    if (action == Action::status) cmd->footer("with NAME: exit code 1 when it isn't attached");
  } else if (action == Action::forget) {
    cmd->footer(
        "Nothing of the distro is remembered any more: for one that was unregistered. Containers\n"
        "that it made with docker.sock mounted can't reach the API any more. Exit code 1, and\n"
        "nothing is done, while its helper is connected: `causeway distro disable NAME` first.\n"
        "It comes back when its helper calls again.");
  } else {
    cmd->add_flag("!--no-wait", p.distro.wait, "return at once, not when it is done");
    cmd->add_option("--timeout", p.distro.timeout_s, "wait at most so long")
        ->type_name("SECONDS")
        ->check(CLI::Range(std::uint64_t{1}, kMaxSeconds))
        ->capture_default_str();
  }
  cmd->final_callback([&p, action] {
    p.distro.action = action;
    p.chosen = p.distro;
  });
}

void add_distro(CLI::App& app, Parsed& p) {
  using Action = DistroOptions::Action;
  auto* cmd = app.add_subcommand("distro", "the WSL distros that docker works in");
  cmd->require_subcommand(0, 1);
  auto& helper = p.distro_helper;
  cmd->add_option("--name", helper.name, "this distro's name ($WSL_DISTRO_NAME)");
  cmd->add_option("--user", helper.user, "the default user, who may use docker (of /etc/wsl.conf)")
      ->type_name("NAME|UID");
  path_option(*cmd, "--wsl", helper.wsl, "WSL's shared tmpfs (found among the mounts)");
  cmd->add_option("--log-level", helper.log_level, "least important lines to print")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  cmd->footer(
      "Without a subcommand: the helper in a user's distro, which integrates it. Windows starts\n"
      "it, as root; its options are for that.");
  cmd->final_callback([&p, cmd] {
    if (cmd->get_subcommands().empty()) p.chosen = p.distro_helper;
  });
  add_distro_action(*cmd, p, "list", "the distros, and whether each is integrated", Action::list);
  add_distro_action(*cmd, p, "status", "what was done in a distro, what was left alone, and why",
                    Action::status);
  add_distro_action(*cmd, p, "enable", "integrate a distro", Action::enable);
  add_distro_action(*cmd, p, "disable", "undo its integration: exactly what was added goes",
                    Action::disable);
  add_distro_action(*cmd, p, "forget", "take a distro that is no more out of the list",
                    Action::forget);
}

// How many letters differ, by insertions, deletions and changes.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

Answer unknown_command(const std::string& given) {
  std::string nearest;
  std::size_t best = 3;  // more than two letters off is another word
  for (const auto& name : command_names()) {
    // What was begun but not ended is meant more likely than what was mistyped.
    const auto d = given.size() > 1 && name.starts_with(given) ? 0 : distance(given, name);
    if (d < best) best = d, nearest = name;
  }
  std::string text = "causeway: unknown command " + text::printable(given) + "\n";
  text += nearest.empty() ? "See `causeway --help` for the commands.\n"
                          : "Did you mean `causeway " + nearest + "`?\n";
  return {kUsage, "", text};
}

// Subcommands are added to `app`; the callbacks refer to `p`.
void build(CLI::App& app, Parsed& p) {
  app.name("causeway");
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  add_status(app, p);
  add_logs(app, p);
  add_act(app, p, "start", "start a service, wait until it is ready", control_api::Action::start);
  add_act(app, p, "stop", "stop a service; it stays stopped", control_api::Action::stop);
  add_act(app, p, "restart", "stop and start a service", control_api::Action::restart);
  add_check_config(app, p);
  add_version(app, p);
  add_init(app, p);
  add_agent(app, p);
  add_engine_config(app, p);
  add_host_setup(app, p);
  add_attach(app, p);
  add_await_shares(app, p);
  add_walk(app, p);
  add_distro(app, p);
}

}  // namespace

std::vector<std::string> command_names() {
  CLI::App app("");
  Parsed parsed;
  build(app, parsed);
  std::vector<std::string> out;
  for (const auto* command : app.get_subcommands([](CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

std::variant<Command, Answer> parse_command_line(const std::vector<std::string>& arguments) {
  CLI::App app("Docker and Kubernetes, native on WSL 2: the Linux side");
  Parsed parsed;
  build(app, parsed);
  if (arguments.empty()) return Answer{kDone, app.help(), ""};
  if (!arguments[0].empty() && arguments[0][0] != '-') {
    const auto names = command_names();
    if (std::find(names.begin(), names.end(), arguments[0]) == names.end())
      return unknown_command(arguments[0]);
  }
  if (arguments[0] == "--version") return Command(parsed.version);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    if (app.exit(error, out, err) == 0) return Answer{kDone, out.str(), ""};
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "" : " " + chosen[0]->get_name();
    return Answer{kUsage, "",
                  "causeway" + command + ": " + text::printable(error.what()) + "\nSee `causeway" +
                      command + " --help`.\n"};
  }
  if (parsed.chosen) return *std::move(parsed.chosen);
  return Answer{kUsage, "", "causeway: no command given\nSee `causeway --help`.\n"};
}

}  // namespace causeway::cli
