// GET /v1/logs: what the services print, of the past and as it comes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/api.h"
#include "control_api/logs.h"

namespace causeway::daemon {

struct LogSource {
  std::function<bool(const std::string& service)> has_service;
  // The last `tail` lines that are still in memory, oldest first; of all services, in the order
  // they came, when `service` is empty. `fresh`: only those that came since this agent started.
  std::function<std::vector<control_api::LogLine>(const std::string& service, std::size_t tail,
                                                  bool fresh)>
      last;
  // Lines that wait for a slow follower: half a second of a build that prints without pause.
  std::size_t follower_bytes = std::size_t{256} * 1024;
};

class LogCalls {
 public:
  // It outlives the calls that it adds to `api`.
  LogCalls(control::Api& api, LogSource source);
  LogCalls(const LogCalls&) = delete;
  LogCalls& operator=(const LogCalls&) = delete;

  // A service has printed a line.
  void line(std::string_view service, std::string_view line);

 private:
  struct Follower {
    std::string service;  // or empty for all
    std::weak_ptr<control::Lines> lines;
  };
  control::Answer answer(const control::Request& request);

  const LogSource source_;
  std::vector<Follower> followers_;
};

}  // namespace causeway::daemon
