#include "cli/command_line.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/exit_code.h"

using namespace causeway;
using namespace causeway::cli;

namespace {

Answer answer_to(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  REQUIRE(std::holds_alternative<Answer>(parsed));
  return std::get<Answer>(parsed);
}

template <typename T>
T command_of(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  if (const auto* answer = std::get_if<Answer>(&parsed)) FAIL(answer->err);
  REQUIRE(std::holds_alternative<T>(std::get<Command>(parsed)));
  return std::get<T>(std::get<Command>(parsed));
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("cli/command_line: without arguments, and with --help: the commands and exit codes") {
  for (const auto& arguments : {std::vector<std::string>{}, {"--help"}, {"-h"}}) {
    const auto answer = answer_to(arguments);
    CHECK(answer.exit_code == kDone);
    CHECK(answer.err.empty());
    for (const auto& name : command_names()) CHECK_MESSAGE(has(answer.out, name), name);
    for (const int code :
         {kNo, kNotRunning, kNotAllowed, kUsage, kOtherRuns, kInternal, kSetUpFailed, kTimedOut})
      CHECK_MESSAGE(has(answer.out, std::to_string(code) + " "), code);
  }
}

TEST_CASE("cli/command_line: every command has a help text of its own") {
  CHECK(command_names().size() == 15);
  for (const auto& name : command_names()) {
    CAPTURE(name);
    const auto answer = answer_to({name, "--help"});
    CHECK(answer.exit_code == kDone);
    CHECK(has(answer.out, "Usage: causeway " + name));
    // Its subcommands have it; and what has no need of the agent's place.
    CHECK((name == "distro" || name == "walk" || has(answer.out, "--run")));
    std::size_t from = 0;
    for (auto end = answer.out.find('\n'); end != std::string::npos;
         from = end + 1, end = answer.out.find('\n', from))
      CHECK(end - from <= 100);
  }
}

TEST_CASE("cli/command_line: a wrong command gets the one that was meant") {
  auto answer = answer_to({"stats"});
  CHECK(answer.exit_code == kUsage);
  CHECK(answer.out.empty());
  CHECK(has(answer.err, "unknown command stats"));
  CHECK(has(answer.err, "`causeway status`"));
  CHECK(has(answer_to({"stat"}).err, "`causeway status`"));
  answer = answer_to({"explode"});
  CHECK(answer.exit_code == kUsage);
  CHECK(has(answer.err, "--help"));
  CHECK(!has(answer.err, "Did you mean"));
  CHECK(!has(answer_to({"\x1b[2J"}).err, "\x1b"));
}

TEST_CASE("cli/command_line: wrong arguments say what is wrong, and where help is") {
  const std::vector<std::string> cases[] = {
      {"status", "--jsn"},
      {"status", "--wait=soon"},
      {"status", "--wait=0"},
      {"status", "--wait=3601"},
      {"status", "extra"},
      {"logs", "--tail", "-1"},
      {"logs", "--tail", "many"},
      {"logs", "--tail", "100001"},
      {"logs", "a", "b"},
      {"start"},
      {"restart", "a", "b"},
      {"stop", "x", "--timeout", "0"},
      {"agent", "--log-level", "loud"},
      {"init", "--mode", "fast"},
      {"init", "--versions", "/versions"},
      {"init", "--stop-timeout", "x"},
      {"engine-config", "--live-restore=maybe"},
      {"--run", "/run/causeway"},
      {""},
  };
  for (const auto& arguments : cases) {
    CAPTURE(arguments[0]);
    const auto answer = answer_to(arguments);
    CHECK(answer.exit_code == kUsage);
    CHECK(answer.out.empty());
    CHECK(answer.err.starts_with("causeway"));
    CHECK(has(answer.err, "--help"));
  }
}

TEST_CASE("cli/command_line: status") {
  auto options = command_of<StatusOptions>({"status"});
  CHECK(options.run == "/run/causeway");
  CHECK(!options.json);
  CHECK(!options.wait_s);
  options = command_of<StatusOptions>({"status", "--json", "--wait", "--run", "/tmp/r"});
  CHECK(options.json);
  CHECK(options.wait_s == 60);
  CHECK(options.run == "/tmp/r");
  CHECK(command_of<StatusOptions>({"status", "--wait=5"}).wait_s == 5);
}

TEST_CASE("cli/command_line: relative paths become absolute, here") {
  const std::string here = std::filesystem::current_path().string();
  const auto options =
      command_of<daemon::AgentOptions>({"agent", "--run", "x", "--data=./y/../z/"});
  CHECK(options.run == here + "/x");
  CHECK(options.data == here + "/z");
  CHECK(options.etc == "/etc/causeway");
  CHECK(command_of<daemon::AgentOptions>({"agent", "--etc", "/"}).etc == "/");
}

TEST_CASE("cli/command_line: logs") {
  auto options = command_of<LogsOptions>({"logs"});
  CHECK(options.service.empty());
  CHECK(!options.tail);
  options = command_of<LogsOptions>({"logs", "-f", "--tail", "0", "dockerd"});
  CHECK(options.follow);
  CHECK(options.tail == 0);
  CHECK(options.service == "dockerd");
}

TEST_CASE("cli/command_line: start, stop, restart") {
  CHECK(command_of<ActOptions>({"start", "x"}).action == control_api::Action::start);
  CHECK(command_of<ActOptions>({"stop", "x"}).action == control_api::Action::stop);
  const auto options = command_of<ActOptions>({"restart", "x", "--no-wait", "--timeout", "7"});
  CHECK(options.action == control_api::Action::restart);
  CHECK(options.service == "x");
  CHECK(!options.wait);
  CHECK(options.timeout_s == 7);
  CHECK(command_of<ActOptions>({"stop", "x"}).wait);
}

TEST_CASE("cli/command_line: init and agent") {
  auto init = command_of<init::InitOptions>({"init"});
  CHECK(!init.mode);
  CHECK(init.run == "/run/causeway");
  CHECK(init.stop_timeout.count() == 60);
  CHECK(init.agent.empty());
  CHECK(!command_of<init::InitOptions>({"init", "--mode", "auto"}).mode);
  init = command_of<init::InitOptions>({"init", "--mode=wsl", "--versions", "/versions",
                                        "--version", "1.2", "--stop-timeout", "5", "--data", "/d",
                                        "--etc", "/e", "--run", "/r", "--agent", "/bin/a"});
  CHECK(init.mode == init::Mode::wsl);
  CHECK(init.versions == "/versions");
  CHECK(init.version == "1.2");
  CHECK(init.stop_timeout.count() == 5);
  CHECK(init.data == "/d");
  CHECK(init.agent == "/bin/a");
  const auto agent = command_of<daemon::AgentOptions>(
      {"agent", "--run", "/r", "--data", "/d", "--etc", "/e", "--log-level", "debug"});
  CHECK(agent.run == "/r");
  CHECK(agent.data == "/d");
  CHECK(agent.etc == "/e");
  CHECK(agent.log_level == "debug");
}

TEST_CASE("cli/command_line: check-config, engine-config, version") {
  CHECK(command_of<CheckConfigOptions>({"check-config"}).etc == "/etc/causeway");
  CHECK(command_of<CheckConfigOptions>({"check-config", "--user-file", "/x"}).user_file == "/x");
  CHECK(!command_of<engine_setup::EngineConfigOptions>({"engine-config"}).live_restore);
  const auto options = command_of<engine_setup::EngineConfigOptions>(
      {"engine-config", "--live-restore=false", "--reload"});
  CHECK(options.live_restore == false);
  CHECK(options.reload);
  CHECK(!options.accept);
  CHECK(command_of<engine_setup::EngineConfigOptions>({"engine-config", "--accept"}).accept);
  CHECK(command_of<engine_setup::HostSetupOptions>({"host-setup", "--etc", "/e"}).etc == "/e");
  CHECK(command_of<VersionOptions>({"version", "--json"}).json);
  CHECK(!command_of<VersionOptions>({"--version"}).json);
}

TEST_CASE("cli/command_line: the helper in a distro") {
  const auto helper = command_of<distro::Options>(
      {"distro", "--name", "Ubuntu", "--user", "1000", "--wsl", "/wsl", "--log-level", "debug"});
  CHECK(helper.name == "Ubuntu");
  CHECK(helper.user == "1000");
  CHECK(helper.wsl == "/wsl");
  CHECK(helper.log_level == "debug");
  CHECK(helper.root == "/");
  CHECK(command_of<distro::Options>({"distro"}).user.empty());
  CHECK(std::holds_alternative<Answer>(parse_command_line({"distro", "--log-level", "all"})));
  CHECK(std::holds_alternative<Answer>(parse_command_line({"distro", "nonsense"})));
}

TEST_CASE("cli/command_line: distros") {
  using Action = DistroOptions::Action;
  CHECK(command_of<DistroOptions>({"distro", "list", "--json"}).json);
  CHECK(command_of<DistroOptions>({"distro", "status"}).name.empty());
  CHECK(command_of<DistroOptions>({"distro", "status", "Ubuntu"}).name == "Ubuntu");
  CHECK(command_of<DistroOptions>({"distro", "enable", "x"}).action == Action::enable);
  CHECK(command_of<DistroOptions>({"distro", "forget", "x"}).action == Action::forget);
  CHECK(std::holds_alternative<Answer>(parse_command_line({"distro", "forget", "x", "--no-wait"})));
  const auto options = command_of<DistroOptions>({"distro", "disable", "x", "--no-wait"});
  CHECK(options.action == Action::disable);
  CHECK(!options.wait);
  CHECK(
      command_of<engine_setup::AwaitSharesOptions>({"await-shares", "--timeout", "3"}).timeout_s ==
      3);
  for (const char* action : {"enable", "disable", "forget", "nonsense"})
    CHECK(std::holds_alternative<Answer>(parse_command_line({"distro", action})));
}
