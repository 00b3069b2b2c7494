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

TEST_CASE("cli/config_check: no configuration at all is a problem") {
  CheckConfigOptions options;
  options.etc = "/nonexistent/causeway";
  options.user_file = "/nonexistent/daemon.json";
  const auto report = check_config(options);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].file == "/nonexistent/causeway/services.d");
}
