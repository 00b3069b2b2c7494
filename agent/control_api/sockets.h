// Section `sockets`: where clients come in, and how many are there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

struct SocketStatus {
  std::string path;
  std::string purpose;
  std::uint64_t connections = 0;  // open now
  std::uint64_t streams = 0;      // of these, upgraded to a raw stream (attach, exec)
  std::uint64_t stalled = 0;      // of these, the client has stopped within a request
  bool full = false;              // further clients wait until one of these ends
};

std::string to_json(const std::vector<SocketStatus>& sockets);
Status read(const json::Json& json, std::vector<SocketStatus>& out);

}  // namespace causeway::control_api
