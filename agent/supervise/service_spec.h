// ServiceSpec is one service as its file describes it (CONTRIBUTING.md, "Add a service"). Reading
// is strict: an unknown key, a wrong type or a number out of range is an error that names the file
// and the JSON pointer, and hinders no other service.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::supervise {

using Command = std::vector<std::string>;

// How one sees that the service does its work.
struct ReadyRule {
  enum class Kind {
    none,     // as soon as its program runs
    socket,   // a connect to a unix socket succeeds
    http,     // GET over a unix socket answers 200
    file,     // a file is there
    command,  // a command ends with 0
  };
  Kind kind = Kind::none;
  std::string path;    // of the socket or file
  std::string target;  // of the GET
  Command argv;
  std::int64_t timeout_s = 60;
  bool operator==(const ReadyRule&) const = default;
};

// How one sees that a service which is ready still works. What it doesn't answer is told, and
// changes nothing else.
struct AliveRule {
  enum class Kind {
    none,
    socket,  // a connect to a unix socket succeeds
    http,    // GET over a unix socket answers 200
    http2,   // a server of HTTP/2 (gRPC) on a unix socket says its settings
  };
  Kind kind = Kind::none;
  std::string path;    // of the socket
  std::string target;  // of the GET
  bool operator==(const AliveRule&) const = default;
};

struct RestartRule {
  enum class Policy { always, on_failure, never };
  Policy policy = Policy::always;
  std::int64_t delay_ms = 200;
  std::int64_t max_delay_ms = 10000;
  std::int64_t limit = 8;  // failed starts within window_s that end in `failed`
  std::int64_t window_s = 120;
  std::int64_t healthy_s = 30;  // ready for so long: earlier failures are forgotten
  bool operator==(const RestartRule&) const = default;
};

struct StopRule {
  int signal = 15;
  std::int64_t timeout_s = 30;  // then SIGKILL
  std::vector<Command> before_shutdown;
  bool operator==(const StopRule&) const = default;
};

struct ServiceSpec {
  std::string name;
  std::string description;
  bool enabled = true;
  Command argv;
  std::map<std::string, std::string> environment;
  std::vector<std::string> needs;
  std::vector<Command> prepare;      // before each start, while waiting for the needs
  std::vector<Command> after_ready;  // each time it became ready; a failure is only noted
  ReadyRule ready;
  AliveRule alive;  // unless the file says it: as `ready`, where that is a socket's
  RestartRule restart;
  StopRule stop;
  std::optional<std::int64_t> nofile;
  std::optional<std::int64_t> oom_score_adj;
  bool cgroup = true;
  bool operator==(const ServiceSpec&) const = default;
};

// What ${run}, ${data} and ${etc} stand for.
struct Directories {
  std::string run = "/run/causeway";
  std::string data = "/data";
  std::string etc = "/etc/causeway";
};

// `stem` is the file's name without ".json", which "name" must repeat.
Result<ServiceSpec> parse_service(std::string_view content, std::string_view stem,
                                  const Directories& directories);

struct BrokenService {
  std::string name;  // the file's stem
  std::string error;
};
struct LoadedService {
  ServiceSpec spec;
  std::string source;  // the file as read
};
struct ServiceFiles {
  std::vector<LoadedService> services;  // by name
  std::vector<BrokenService> broken;
};

// All of `directory`/*.json. An unreadable directory is an error; what is in it is not.
Result<ServiceFiles> load_services(const std::string& directory, const Directories& directories);

// Why some of `specs` can never start: a need that isn't there, or a circle of needs. By name.
std::map<std::string, std::string> check_needs(const std::vector<const ServiceSpec*>& specs);

}  // namespace causeway::supervise
