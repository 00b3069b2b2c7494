// What `causeway status` shows of the engine API endpoint.
#pragma once

#include <cstdint>

namespace causeway::proxy {

struct Counters {
  // now
  std::uint64_t sessions = 0;  // connections that speak HTTP
  std::uint64_t streams = 0;   // hijacked or upgraded connections
  std::uint64_t waiting = 0;   // requests that wait for the engine
  // since the start
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t upgraded = 0;
  std::uint64_t refused = 0;      // answered 4xx by us
  std::uint64_t unavailable = 0;  // answered 5xx by us
};

}  // namespace causeway::proxy
