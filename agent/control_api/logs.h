// The lines of GET /v1/logs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::control_api {

struct LogLine {
  std::string service;
  std::string line;
};

std::string to_json(const LogLine& line);
// In place of lines that a follower was too slow for; `service` is empty when it follows all.
std::string dropped_json(std::string_view service, std::uint64_t lines);

}  // namespace causeway::control_api
