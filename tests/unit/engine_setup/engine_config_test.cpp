// merge_engine_config by pairs of files in engine_config/: <case>.in.json is the user's file,
// <case>.out.json says
// {"config", "messages"} or {"error": the beginning of it}.
#include "engine_setup/engine_config.h"

#include <dirent.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>

#include "base/file.h"
#include "engine_setup/engine_config_cases.h"
#include "engine_setup/engine_config_command.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::engine_setup;
using causeway::json::Json;

namespace {

std::set<std::string> cases() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(kEngineConfigCases), ::closedir);
  REQUIRE(dir);
  std::set<std::string> out;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".in.json")) out.emplace(name.substr(0, name.size() - 8));
  }
  return out;
}

EngineConfigInput input(std::optional<std::string> user, std::optional<std::string> last_good,
                        std::string rejected = "") {
  EngineConfigInput out;
  out.user_path = "/u.json";
  out.user = std::move(user);
  out.last_good = std::move(last_good);
  out.rejected = std::move(rejected);
  return out;
}

// The command in directories of its own, with a stand-in for dockerd.
struct Command {
  Command() {
    options.run = root + "/run";
    options.data = root + "/data";
    options.etc = root + "/etc";
    options.user_file = root + "/daemon.json";
    options.dockerd = root + "/dockerd";
    REQUIRE(file::make_directories(options.run).ok());
    // As dockerd 20.10: knows no --validate.
    dockerd("echo 'unknown flag: --validate'; exit 125");
  }

  void dockerd(const std::string& script) const {
    REQUIRE(file::write_atomic(options.dockerd, "#!/bin/sh\n" + script + "\n", 0755).ok());
  }
  void user(const std::string& text) const {
    REQUIRE(file::write_atomic(options.user_file, text).ok());
  }
  int prepare() const { return run_engine_config(options, settings); }
  int accept() const {
    auto accepting = options;
    accepting.accept = true;
    return run_engine_config(accepting, settings);
  }
  Json effective() const { return Json::parse(*file::read(options.run + "/daemon.json")).value(); }
  Json state() const {
    return Json::parse(*file::read(options.run + "/state/engine-config.json")).value();
  }
  std::string messages() const { return state()["messages"].dump(); }

  test::TempDir directory;
  const std::string& root = directory.path;
  EngineConfigOptions options;
  Result<EngineSettings> settings = EngineSettings{};
};

}  // namespace

TEST_CASE("engine_setup/engine_config: pairs of files") {
  const auto names = cases();
  CHECK(names.size() >= 9);
  for (const auto& name : names) {
    CAPTURE(name);
    const std::string base = std::string(kEngineConfigCases) + "/" + name;
    const auto in = file::read(base + ".in.json");
    const auto out = Json::parse(*file::read(base + ".out.json"));
    REQUIRE(in.ok());
    REQUIRE(out.ok());
    std::vector<std::string> messages;
    const auto merged = merge_engine_config(*in, true, messages);
    if (const auto* error = out->find("error")) {
      REQUIRE_FALSE(merged.ok());
      CHECK(merged.error().message.find(error->string_or("?")) == 0);
      continue;
    }
    REQUIRE(merged.ok());
    CHECK(merged->dump() == (*out)["config"].dump());
    Json lines = Json::array();
    for (const auto& message : messages) lines.push(message);
    CHECK(lines.dump() == (*out)["messages"].dump());
  }
}

TEST_CASE(
    "engine_setup/engine_config: without a user's file there are defaults and nothing to say") {
  const auto config = make_engine_config(input(std::nullopt, "{\"debug\":true}"));
  CHECK(config.source == EngineConfig::Source::defaults);
  CHECK(config.used.empty());
  CHECK(config.messages.empty());
  CHECK(config.effective["live-restore"].bool_or(false));
  CHECK(config.effective["debug"].is_null());
}

TEST_CASE(
    "engine_setup/engine_config: a broken file gives way to the last good one, by name and place") {
  const auto config = make_engine_config(input("{\"debug\": tru}", "{\"debug\":true}"));
  CHECK(config.source == EngineConfig::Source::last_good);
  CHECK(config.used == "{\"debug\":true}");
  CHECK(config.effective["debug"].bool_or(false));
  REQUIRE(config.messages.size() == 2);
  CHECK(config.messages[0].find("warning: /u.json is not used: line 1, column 14") == 0);
  CHECK(config.messages[1] == "the engine runs with the last settings that worked");
}

TEST_CASE(
    "engine_setup/engine_config: a broken file without a good one gives way to the defaults") {
  for (const auto& last_good : {std::optional<std::string>(), std::optional<std::string>("{"),
                                std::optional<std::string>("[1]")}) {
    const auto config = make_engine_config(input("[1]", last_good));
    CHECK(config.source == EngineConfig::Source::defaults);
    CHECK(config.effective["log-driver"].string_or("") == "json-file");
    CHECK(config.messages.back() == "the engine runs with default settings");
  }
}

TEST_CASE("engine_setup/engine_config: what dockerd refused is not used, though it is JSON") {
  const auto config =
      make_engine_config(input("{\"debug\":1}", "{\"debug\":true}", "dockerd refuses it: no"));
  CHECK(config.source == EngineConfig::Source::last_good);
  CHECK(config.messages[0] == "warning: /u.json is not used: dockerd refuses it: no");
}

TEST_CASE("engine_setup/engine_config: the setting for live-restore gives way to the user's file") {
  auto in = input(std::nullopt, std::nullopt);
  in.live_restore = false;
  CHECK_FALSE(make_engine_config(in).effective["live-restore"].bool_or(true));
  in.user = "{\"live-restore\":true}";
  CHECK(make_engine_config(in).effective["live-restore"].bool_or(false));
}

TEST_CASE(
    "engine_setup/engine_config_command: accepted settings are the last good ones from then on") {
  const Command command;
  command.user("{\"debug\":true}");
  REQUIRE(command.prepare() == 0);
  CHECK(command.state()["source"].string_or("") == "user");
  CHECK(command.messages().find("has no --validate") != std::string::npos);
  CHECK_FALSE(file::read(command.options.data + "/causeway/daemon.last-good.json").ok());
  REQUIRE(command.accept() == 0);
  CHECK(*file::read(command.options.data + "/causeway/daemon.last-good.json") ==
        "{\"debug\":true}");
  // Known to be good: dockerd isn't asked again.
  command.dockerd("touch " + command.root + "/asked; exit 1");
  REQUIRE(command.prepare() == 0);
  CHECK(::access((command.root + "/asked").c_str(), F_OK) != 0);
  CHECK(command.messages() == "[]");
  command.user("{\"debug\":");
  REQUIRE(command.prepare() == 0);
  CHECK(command.state()["source"].string_or("") == "last-good");
  CHECK(command.effective()["debug"].bool_or(false));
  // Accepting the last good one doesn't make the broken file good.
  REQUIRE(command.accept() == 0);
  CHECK(*file::read(command.options.data + "/causeway/daemon.last-good.json") ==
        "{\"debug\":true}");
}

TEST_CASE("engine_setup/engine_config_command: a file as PowerShell leaves it is read") {
  using namespace std::string_literals;
  struct Case {
    const char* name;
    std::string content;
  };
  for (const auto& c : {
           Case{"UTF-16, `>`", "\xFF\xFE{\0\"\0d\0e\0b\0u\0g\0\"\0:\0t\0r\0u\0e\0}\0\r\0\n\0"s},
           Case{"UTF-16, big endian", "\xFE\xFF\0{\0\"\0d\0e\0b\0u\0g\0\"\0:\0t\0r\0u\0e\0}"s},
           Case{"UTF-8 with a mark", "\xEF\xBB\xBF{\"debug\":true}\r\n"},
       }) {
    CAPTURE(c.name);
    const Command command;
    command.user(c.content);
    REQUIRE(command.prepare() == 0);
    CHECK(command.state()["source"].string_or("") == "user");
    CHECK(command.effective()["debug"].bool_or(false));
    REQUIRE(command.accept() == 0);
    // It is the last good one, too, and known again.
    command.user("{");
    REQUIRE(command.prepare() == 0);
    CHECK(command.state()["source"].string_or("") == "last-good");
    CHECK(command.effective()["debug"].bool_or(false));
    command.user(c.content);
    command.dockerd("touch " + command.root + "/asked; exit 1");
    REQUIRE(command.prepare() == 0);
    CHECK(command.state()["source"].string_or("") == "user");
    CHECK(::access((command.root + "/asked").c_str(), F_OK) != 0);
  }
  const Command command;
  command.user("\xFF\xFE{"s);
  REQUIRE(command.prepare() == 0);
  CHECK(command.messages().find("daemon.json is not used: it is UTF-16 with half") !=
        std::string::npos);
}

TEST_CASE("engine_setup/engine_config_command: an emptied file means the defaults, and says so") {
  using namespace std::string_literals;
  for (const auto& empty : {""s, " \n"s, "\xEF\xBB\xBF"s, "\xFF\xFE\r\0\n\0"s}) {
    for (const bool before : {false, true}) {
      CAPTURE(before);
      const Command command;
      if (before) {
        command.user("{\"debug\":true}");
        REQUIRE(command.prepare() == 0);
        REQUIRE(command.accept() == 0);
      }
      command.user(empty);
      for (int start = 0; start < 2; ++start) {
        REQUIRE(command.prepare() == 0);
        CHECK(command.effective()["debug"].is_null());
        CHECK(command.effective()["live-restore"].bool_or(false));
        CHECK(command.messages().find("daemon.json: it is empty: the default settings are used") !=
              std::string::npos);
        CHECK(command.messages().find("warning") == std::string::npos);
        REQUIRE(command.accept() == 0);
      }
      // They are what worked last.
      command.user("{");
      REQUIRE(command.prepare() == 0);
      CHECK(command.state()["source"].string_or("") == "last-good");
      CHECK(command.effective()["debug"].is_null());
    }
  }
}

TEST_CASE("engine_setup/engine_config_command: what dockerd --validate refuses is not used") {
  const Command command;
  command.dockerd(
      "test \"$1\" = --validate || exit 9; f=${2#--config-file=}; grep -q debgu $f || exit 0;"
      "echo 'unable to configure: debgu'; exit 1");
  command.user("{\"debgu\":true}");
  REQUIRE(command.prepare() == 0);
  CHECK(command.state()["source"].string_or("") == "defaults");
  CHECK(command.messages().find("dockerd refuses it: unable to configure: debgu") !=
        std::string::npos);
  CHECK(::access((command.options.run + "/daemon.json.candidate").c_str(), F_OK) != 0);
  command.user("{\"debug\":true}");
  REQUIRE(command.prepare() == 0);
  CHECK(command.state()["source"].string_or("") == "user");
  CHECK(command.messages() == "[]");
}

TEST_CASE(
    "engine_setup/engine_config_command: a file with which dockerd never comes up is given up") {
  const Command command;
  command.user("{\"debgu\":true}");
  for (int start = 0; start < 2; ++start) {
    REQUIRE(command.prepare() == 0);
    CHECK(command.state()["source"].string_or("") == "user");
  }
  for (int start = 0; start < 2; ++start) {
    REQUIRE(command.prepare() == 0);
    CHECK(command.state()["source"].string_or("") == "defaults");
    CHECK(command.messages().find("dockerd did not come up with it") != std::string::npos);
  }
  REQUIRE(command.accept() == 0);
  command.user("{\"debug\":true}");  // changed: a new chance
  REQUIRE(command.prepare() == 0);
  CHECK(command.state()["source"].string_or("") == "user");
}

TEST_CASE(
    "engine_setup/engine_config_command: a stale pid file goes, an unreadable user's file is "
    "said") {
  const Command command;
  REQUIRE(file::write_atomic(command.options.run + "/dockerd.pid", "1").ok());
  REQUIRE(file::make_directories(command.options.user_file).ok());
  REQUIRE(command.prepare() == 0);
  CHECK(::access((command.options.run + "/dockerd.pid").c_str(), F_OK) != 0);
  CHECK(command.state()["source"].string_or("") == "defaults");
  CHECK(command.messages().find("not a regular file") != std::string::npos);
}

TEST_CASE("engine_setup/engine_config_command: the settings decide about live-restore") {
  Command command;
  command.settings = EngineSettings{.live_restore = false};
  REQUIRE(command.prepare() == 0);
  CHECK_FALSE(command.effective()["live-restore"].bool_or(true));
  command.settings = make_error("settings.json: /live_restroe: unknown key");
  REQUIRE(command.prepare() == 0);
  CHECK(command.effective()["live-restore"].bool_or(false));
  CHECK(command.messages().find("/live_restroe: unknown key; the defaults") != std::string::npos);
}
