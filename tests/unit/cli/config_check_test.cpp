#include "cli/config_check.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::cli;

namespace {

struct Directory : test::TempDir {
  Directory() { REQUIRE(file::make_directories(path + "/services.d").ok()); }
  void write(const std::string& name, std::string_view text) {
    REQUIRE(file::write_atomic(path + "/" + name, text).ok());
  }
  ConfigReport check() {
    CheckConfigOptions options;
    options.etc = path;
    options.user_file = path + "/daemon.json";
    options.dockerd = path + "/no-dockerd";
    return check_config(options);
  }
};

bool has(const std::vector<ConfigReport::Entry>& entries, const std::string& file,
         std::string_view text) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    return entry.file.ends_with(file) && entry.text.find(text) != std::string::npos &&
           entry.text.find(file) == std::string::npos;
  });
}

}  // namespace

TEST_CASE("cli/config_check: everything that is right is good") {
  Directory etc;
  etc.write("services.d/a.json", R"({"name": "a", "argv": ["/bin/sh"]})");
  etc.write("settings.json", "{}");
  etc.write("daemon.json", "{}");
  const auto report = etc.check();
  CHECK(report.problems.empty());
  CHECK(report.good.size() == 3);
}

TEST_CASE("cli/config_check: files that needn't be there") {
  Directory etc;
  const auto report = etc.check();
  CHECK(report.problems.empty());
  CHECK(report.good.empty());
}

TEST_CASE("cli/config_check: all problems at once, with file and place") {
  Directory etc;
  etc.write("services.d/typo.json", R"({"name": "typo", "argv": ["/bin/sh"], "restrat": {}})");
  etc.write("services.d/type.json", R"({"name": "type", "argv": "/bin/sh"})");
  etc.write("services.d/syntax.json", "{");
  etc.write("services.d/lonely.json",
            R"({"name": "lonely", "argv": ["/bin/sh"], "needs": ["nobody"]})");
  etc.write("services.d/good.json", R"({"name": "good", "argv": ["/bin/sh"]})");
  etc.write("settings.json", R"({"live_restore": 1})");
  etc.write("daemon.json", R"({"log-opts": [])");
  const auto report = etc.check();
  CHECK(report.problems.size() == 6);
  CHECK(has(report.problems, "/services.d/typo.json", "/restrat"));
  CHECK(has(report.problems, "/services.d/type.json", "/argv"));
  CHECK(has(report.problems, "/services.d/syntax.json", "line"));
  CHECK(has(report.problems, "/services.d/lonely.json", "nobody"));
  CHECK(has(report.problems, "/settings.json", "/live_restore"));
  CHECK(has(report.problems, "/daemon.json", "line"));
  CHECK(report.good == std::vector<std::string>{etc.path + "/services.d/good.json"});
}

TEST_CASE("cli/config_check: what has no effect, or is missing here, is noted") {
  Directory etc;
  etc.write("services.d/a.json", R"({"name": "a", "argv": ["/nonexistent/program"]})");
  etc.write("daemon.json", R"({"hosts": ["tcp://0.0.0.0"]})");
  const auto report = etc.check();
  CHECK(report.problems.empty());
  CHECK(has(report.notes, "/services.d/a.json", "/argv/0"));
  CHECK(has(report.notes, "/daemon.json", "\"hosts\""));
  CHECK(has(report.notes, "/daemon.json", "not checked by the engine"));
}

TEST_CASE("cli/config_check: files as Windows' tools leave them") {
  using namespace std::string_literals;
  Directory etc;
  etc.write("services.d/a.json", "\xEF\xBB\xBF{\"name\": \"a\", \"argv\": [\"/bin/sh\"]}");
  etc.write("settings.json", "\xFF\xFE{\0}\0\r\0\n\0"s);
  etc.write("daemon.json", "\xFE\xFF\0{\0}"s);
  auto report = etc.check();
  CHECK(report.problems.empty());
  CHECK(report.good.size() == 3);
  etc.write("settings.json", "");
  etc.write("daemon.json", "\xFF\xFE\r\0\n\0"s);
  report = etc.check();
  CHECK(report.problems.empty());
  CHECK(report.good.size() == 3);
  CHECK(has(report.notes, "/settings.json", "it is empty: the default settings are used"));
  CHECK(has(report.notes, "/daemon.json", "it is empty: the default settings are used"));
  etc.write("daemon.json", "\xFF\xFE{\0}"s);
  report = etc.check();
  CHECK(has(report.problems, "/daemon.json", "half a character"));
}

TEST_CASE("cli/config_check: what the engine itself says, and why it says nothing") {
  struct Case {
    const char* engine;  // a script
    const char* note;    // empty: none
    const char* problem;
  };
  for (const auto& c : {
           Case{"#!/bin/sh\nexit 0\n", "", ""},
           Case{"#!/bin/sh\necho 'unknown flag: --validate'; exit 125\n",
                "not checked by the engine: this one has no --validate", ""},
           Case{"#!/nonexistent/loader\n", "No such file or directory", ""},
           Case{"#!/bin/sh\necho 'unable to configure: debgu'; exit 1\n", "",
                "the engine refuses it: unable to configure: debgu"},
       }) {
    CAPTURE(c.engine);
    Directory etc;
    etc.write("daemon.json", "{}");
    REQUIRE(file::write_atomic(etc.path + "/dockerd", c.engine, 0755).ok());
    CheckConfigOptions options;
    options.etc = etc.path;
    options.user_file = etc.path + "/daemon.json";
    options.dockerd = etc.path + "/dockerd";
    const auto report = check_config(options);
    CHECK(report.notes.empty() == (*c.note == 0));
    if (*c.note != 0) CHECK(report.notes[0].text.find(c.note) != std::string::npos);
    CHECK(report.problems.empty() == (*c.problem == 0));
    if (*c.problem != 0) CHECK(report.problems[0].text == c.problem);
  }
}

// As rootfs/rootfs_tree.py lays docker-desktop out, all below one folder.
TEST_CASE("cli/config_check: in the outer root the engine's files are checked") {
  const test::TempDir root;
  const std::string engine = root.path + "/versions/current" + root.path;
  const std::string data = root.path + "/data/etc";
  for (const auto& folder : {root.path + "/etc/causeway", engine + "/etc/causeway/services.d",
                             data + "/docker", data + "/causeway"})
    REQUIRE(file::make_directories(folder).ok());
  REQUIRE(file::write_atomic(engine + "/etc/causeway/services.d/a.json",
                             R"({"name": "a", "argv": ["/engine/a"]})")
              .ok());
  REQUIRE(file::make_directories(root.path + "/versions/current/engine").ok());
  REQUIRE(file::write_atomic(root.path + "/versions/current/engine/a", "", 0755).ok());
  REQUIRE(::symlink((data + "/docker").c_str(), (engine + "/etc/docker").c_str()) == 0);
  REQUIRE(::symlink((data + "/causeway/settings.json").c_str(),
                    (engine + "/etc/causeway/settings.json").c_str()) == 0);
  CheckConfigOptions options;
  options.etc = root.path + "/etc/causeway";
  options.user_file = root.path + "/etc/docker/daemon.json";
  options.versions = root.path + "/versions";

  SUBCASE("a file in the outer root that nobody reads is named, and what is read is checked") {
    REQUIRE(file::make_directories(root.path + "/etc/docker").ok());
    REQUIRE(file::write_atomic(options.user_file, "{}").ok());
    REQUIRE(file::write_atomic(options.etc + "/settings.json", "{}").ok());
    REQUIRE(file::write_atomic(data + "/docker/daemon.json", "{").ok());
    const auto report = check_config(options);
    REQUIRE(report.problems.size() == 3);
    CHECK(report.problems[0].file == options.user_file);
    CHECK(report.problems[0].text ==
          "it has no effect: the engine reads " + data + "/docker/daemon.json");
    CHECK(report.problems[1].file == options.etc + "/settings.json");
    CHECK(report.problems[1].text ==
          "it has no effect: the engine reads " + data + "/causeway/settings.json");
    CHECK(report.problems[2].file == data + "/docker/daemon.json");
    CHECK(report.notes.empty());  // its program is there, in the engine's root
    CHECK(report.good.size() == 1);
  }
  SUBCASE("links to the engine's files have effect") {
    REQUIRE(::symlink("../data/etc/docker", (root.path + "/etc/docker").c_str()) == 0);
    REQUIRE(::symlink("../../data/etc/causeway/settings.json",
                      (options.etc + "/settings.json").c_str()) == 0);
    CHECK(check_config(options).good.size() == 1);
    REQUIRE(file::write_atomic(data + "/docker/daemon.json", "{}").ok());
    REQUIRE(file::write_atomic(data + "/causeway/settings.json", R"({"live_restore": 1})").ok());
    const auto report = check_config(options);
    REQUIRE(report.problems.size() == 1);
    CHECK(has(report.problems, "/settings.json", "/live_restore"));
    CHECK(report.good.back() == data + "/docker/daemon.json");
    CHECK(has(report.notes, "/daemon.json", "not checked by the engine: `causeway check-config`"));
  }
}

TEST_CASE("cli/config_check: no configuration at all is a problem") {
  CheckConfigOptions options;
  options.etc = "/nonexistent/causeway";
  options.user_file = "/nonexistent/daemon.json";
  const auto report = check_config(options);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].file == "/nonexistent/causeway/services.d");
}
