#include "supervise/service_spec.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::supervise;

namespace {

const Directories kPlaces{"/r", "/d", "/e"};

std::string error_of(const std::string& json) {
  auto spec = parse_service(json, "engine", kPlaces);
  return spec.ok() ? "" : spec.error().message;
}

// A service with `member` added to what it must have.
std::string with(const std::string& member) {
  return R"({"name":"engine","argv":["/bin/engine"],)" + member + "}";
}

ServiceSpec named(const std::string& name, std::vector<std::string> needs) {
  ServiceSpec spec;
  spec.name = name;
  spec.needs = std::move(needs);
  return spec;
}

}  // namespace

TEST_CASE("supervise/service_spec: everything a file can say") {
  auto parsed = parse_service(R"({
    "name": "engine", "description": "The engine", "enabled": false,
    "argv": ["/usr/sbin/engine", "--host=unix://${run}/e.sock", "--root=${data}/e", "$HOME", "${etc}${run}"],
    "environment": {"PATH": "${run}/bin:/bin"},
    "needs": ["other"],
    "prepare": [["/proc/self/exe", "engine-config", "--run", "${run}"]],
    "after_ready": [["/bin/true"]],
    "ready": {"http": {"socket": "${run}/e.sock", "path": "/_ping"}, "timeout_s": 7},
    "restart": {"policy": "on-failure", "delay_ms": 100, "max_delay_ms": 200, "limit": 3, "window_s": 4, "healthy_s": 5},
    "stop": {"signal": "SIGINT", "timeout_s": 6, "before_shutdown": [["/bin/a", "b"]]},
    "nofile": 1024, "oom_score_adj": -500, "cgroup": false })",
                              "engine", kPlaces);
  REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : parsed.error().message));
  CHECK(parsed->argv ==
        Command{"/usr/sbin/engine", "--host=unix:///r/e.sock", "--root=/d/e", "$HOME", "/e/r"});
  CHECK_FALSE(parsed->enabled);
  CHECK(parsed->environment.at("PATH") == "/r/bin:/bin");
  CHECK(parsed->needs == std::vector<std::string>{"other"});
  CHECK(parsed->prepare ==
        std::vector<Command>{{"/proc/self/exe", "engine-config", "--run", "/r"}});
  CHECK(parsed->after_ready.size() == 1);
  CHECK(parsed->ready.kind == ReadyRule::Kind::http);
  CHECK(parsed->ready.path == "/r/e.sock");
  CHECK(parsed->ready.target == "/_ping");
  CHECK(parsed->ready.timeout_s == 7);
  CHECK(parsed->alive == AliveRule{AliveRule::Kind::http, "/r/e.sock", "/_ping"});
  CHECK(parsed->restart == RestartRule{RestartRule::Policy::on_failure, 100, 200, 3, 4, 5});
  CHECK(parsed->stop.signal == 2);
  CHECK(parsed->stop.timeout_s == 6);
  CHECK(parsed->stop.before_shutdown == std::vector<Command>{{"/bin/a", "b"}});
  CHECK(parsed->nofile == 1024);
  CHECK(parsed->oom_score_adj == -500);
  CHECK_FALSE(parsed->cgroup);
}

TEST_CASE("supervise/service_spec: a short file gets the defaults") {
  auto parsed = parse_service(R"({"name":"engine","argv":["/bin/engine"]})", "engine", kPlaces);
  REQUIRE(parsed.ok());
  CHECK(parsed->enabled);
  CHECK(parsed->cgroup);
  CHECK(parsed->ready.kind == ReadyRule::Kind::none);
  CHECK(parsed->restart == RestartRule{});
  CHECK(parsed->stop == StopRule{});
  CHECK_FALSE(parsed->nofile.has_value());
}

TEST_CASE("supervise/service_spec: errors name the JSON pointer") {
  struct Case {
    std::string json;
    const char* expected;
  };
  for (const auto& c : {
           Case{"{", "line 1, column 2"},
           Case{"[]", "the document: expected an object"},
           Case{"{}", "/name: is missing"},
           Case{R"({"name":"engine"})", "/argv: is missing"},
           Case{R"({"name":"other","argv":["/x"]})", "/name: must be \"engine\""},
           Case{R"({"name":"En gine","argv":["/x"]})", "/name: 1 to 32"},
           Case{R"({"name":"engine","argv":[]})", "/argv: is empty"},
           Case{R"({"name":"engine","argv":["dockerd"]})",
                "/argv: the program must be an absolute path"},
           Case{with(R"("argvv":[])"), "/argvv: unknown key"},
           Case{with(R"("enabled":1)"), "/enabled: expected true or false, found a number"},
           Case{with(R"("environment":{"A=B":"c"})"), "/environment: A=B"},
           Case{with(R"("prepare":[["/a"],["b"]])"), "/prepare: the program must be"},
           Case{with(R"("prepare":["/a"])"), "/prepare/0: expected an array"},
           Case{with(R"("ready":{"htpp":{}})"), "/ready/htpp: unknown key"},
           Case{with(R"("alive":{})"), "/alive/http2: is missing"},
           Case{with(R"("alive":{"http2":{"socket":"s"}})"),
                "/alive/http2/socket: must be an absolute"},
           Case{with(R"("alive":{"http2":{"socket":"/s"},"grpc":{}})"), "/alive/grpc: unknown key"},
           Case{with(R"("ready":{"http":{"socket":"/s"}})"), "/ready/http/path: is missing"},
           Case{with(R"("ready":{"http":{"socket":"/s","path":"/a b"}})"),
                "/ready/http/path: must start"},
           Case{with(R"("ready":{"unix":{"socket":"s"}})"),
                "/ready/unix/socket: must be an absolute"},
           Case{with(R"("ready":{"unix":{"socket":"/)" + std::string(107, 'x') + "\"}}"),
                "/ready/unix/socket: longer"},
           Case{with(R"("ready":{"file":{"path":"/f"},"unix":{"socket":"/s"}})"),
                "/ready: only one"},
           Case{with(R"("ready":{"timeout_s":0})"), "/ready/timeout_s: expected a whole number"},
           Case{with(R"("restart":{"policy":"maybe"})"), "/restart/policy: expected always"},
           Case{with(R"("restart":{"delay_ms":5000,"max_delay_ms":100})"),
                "/restart/max_delay_ms: is below"},
           Case{with(R"("restart":{"delay_ms":1})"),
                "/restart/delay_ms: expected a whole number from 10"},
           Case{with(R"("stop":{"signal":"TERM"})"), "/stop/signal: no such signal"},
           Case{with(R"("stop":{"timeout_s":1e3})"), "/stop/timeout_s: expected a whole number"},
           Case{with(R"("nofile":"many")"), "/nofile: expected a number"},
           Case{with(R"("oom_score_adj":-1001)"),
                "/oom_score_adj: expected a whole number from -1000"},
           Case{with(R"("description":"${home}")"), "/description: unknown variable ${home}"},
           Case{with(R"("needs":["a","${x"])"), "/needs/1: unknown variable ${x"},
       }) {
    CAPTURE(c.json);
    const std::string error = error_of(c.json);
    CAPTURE(error);
    CHECK(error.find(c.expected) == 0);
  }
}

TEST_CASE("supervise/service_spec: a broken file is named and hinders no other") {
  const test::TempDir own;
  const std::string& directory = own.path;
  REQUIRE(file::write_atomic(directory + "/good.json", R"({"name":"good","argv":["/x"]})").ok());
  REQUIRE(
      file::write_atomic(directory + "/bad.json", R"({"name":"bad","argv":["/x"],"k":1})").ok());
  REQUIRE(file::make_directories(directory + "/dir.json").ok());
  REQUIRE(file::write_atomic(directory + "/notes.txt", "no service").ok());
  REQUIRE(file::write_atomic(directory + "/.hidden.json", "no service").ok());
  const auto files = load_services(directory, kPlaces);
  REQUIRE(files.ok());
  REQUIRE(files->services.size() == 1);
  CHECK(files->services[0].spec.name == "good");
  REQUIRE(files->broken.size() == 2);
  CHECK(files->broken[0].name == "bad");
  CHECK(files->broken[0].error == directory + "/bad.json: /k: unknown key");
  CHECK(files->broken[1].error.find(directory + "/dir.json") != std::string::npos);
  CHECK_FALSE(load_services(directory + "/missing", kPlaces).ok());
}

TEST_CASE("supervise/service_spec: a file that was edited on Windows is read") {
  using namespace std::string_literals;
  const test::TempDir folder;
  REQUIRE(file::write_atomic(folder.path + "/a.json",
                             "\xEF\xBB\xBF{\"name\": \"a\", \"argv\": [\"/bin/true\"]}\r\n")
              .ok());
  REQUIRE(file::write_atomic(folder.path + "/b.json", "\xFF\xFE{\0"s).ok());
  REQUIRE(file::write_atomic(folder.path + "/c.json", "\xFF\xFE{"s).ok());
  const auto files = load_services(folder.path, kPlaces);
  REQUIRE(files.ok());
  REQUIRE(files->services.size() == 1);
  CHECK(files->services[0].spec.name == "a");
  REQUIRE(files->broken.size() == 2);
  CHECK(files->broken[0].error.find("line 1") != std::string::npos);
  CHECK(files->broken[1].error.find("half a character") != std::string::npos);
}

TEST_CASE("supervise/service_spec: needs that can't be met are that service's error only") {
  const std::vector<ServiceSpec> specs = {
      named("a", {}),    named("b", {"a"}),      named("c", {"nobody"}), named("d", {"e"}),
      named("e", {"f"}), named("f", {"d", "a"}), named("g", {"d"}),      named("h", {"h"})};
  std::vector<const ServiceSpec*> all;
  for (const auto& spec : specs) all.push_back(&spec);
  const auto errors = check_needs(all);
  CHECK(errors.size() == 5);
  CHECK(errors.at("c") == "needs \"nobody\", which no service file describes");
  CHECK(errors.at("d") == "can never start: d needs e needs f needs d");
  CHECK(errors.at("f") == "can never start: f needs d needs e needs f");
  CHECK(errors.at("h") == "can never start: h needs h");
  CHECK_FALSE(errors.contains("g"));  // it waits for d, and status says so
}
