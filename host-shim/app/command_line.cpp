#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "app/commands.h"
#include "base/exit_code.h"

namespace causeway::shim::app {
namespace {

void add_distro(CLI::App& app, std::string& name, bool& json, int& code) {
  auto* distro = app.add_subcommand("distro", "the WSL distros that docker works in");
  distro->require_subcommand(1);
  auto* list = distro->add_subcommand("list", "the distros of this user, and which are enabled");
  list->add_flag("--json", json, "for programs");
  list->final_callback([&] { code = command_distro_list(json); });
  auto* enable = distro->add_subcommand(
      "enable", "integrate a distro: its helper starts with the engine and keeps the distro up");
  enable->add_option("NAME", name, "as `wsl --list` has it")->required();
  enable->final_callback([&] { code = command_distro(name, true); });
  auto* disable = distro->add_subcommand("disable", "undo its integration");
  disable->add_option("NAME", name, "as `wsl --list` has it")->required();
  disable->final_callback([&] { code = command_distro(name, false); });
}

}  // namespace

int run_command_line(std::vector<std::string> arguments) {
  CLI::App app("Docker and Kubernetes, native on WSL 2: the Windows side", "causeway");
  app.require_subcommand(1);
  app.footer(
      "settings and logs: %LOCALAPPDATA%\\Causeway\n"
      "exit codes: 0 done; 1 done, and the answer is no; 3 the shim doesn't run; 4 not allowed;\n"
      "  64 wrong usage; 69 another one runs; 71 set-up failed; 75 not within the time given");
  int code = kDone;
  bool json = false;
  bool background = false;
  std::string name;
  bool allow_elevated = false;
  const auto add_elevated = [&](CLI::App* command) {
    command->add_flag("--allow-elevated", allow_elevated,
                      "also from an elevated prompt: for those who work in no other");
  };
  auto* start =
      app.add_subcommand("start", "start the shim in the background, or join the one that runs");
  add_elevated(start);
  start->final_callback([&] { code = command_start(allow_elevated); });
  app.add_subcommand("stop", "end it, and with it what keeps the distros up")->final_callback([&] {
    code = command_stop();
  });
  auto* status =
      app.add_subcommand("status", "what works, over which way, and why something doesn't");
  status->add_flag("--json", json, "for programs");
  status->footer("exit code 0 when the engine's agent is connected, 1 when not");
  status->final_callback([&] { code = command_status(json); });
  auto* run =
      app.add_subcommand("run", "run the shim in the foreground, with its log on standard error");
  run->add_flag("--background", background, "as `start` does")->group("");
  add_elevated(run);
  run->final_callback([&] { code = command_run(background, allow_elevated); });
  app.add_subcommand("install-autostart", "start it at each logon of this user")
      ->final_callback([&] { code = command_install_autostart(); });
  app.add_subcommand("remove-autostart", "and no more")->final_callback([&] {
    code = command_remove_autostart();
  });
  add_distro(app, name, json, code);
  app.add_subcommand("version", "the version of this program")->final_callback([&] {
    code = command_version();
  });
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::RequiredError& error) {
    // CLI11 would say that a subcommand is missing, and not which word it didn't take for one.
    if (const auto words = app.remaining(true); !words.empty()) {
      std::cerr << "causeway: there is no command \"" << words.front()
                << "\"\nRun with --help for more information.\n";
      return kUsage;
    }
    return app.exit(error, std::cout, std::cerr) == 0 ? kDone : kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? kDone : kUsage;
  }
  return code;
}

}  // namespace causeway::shim::app
