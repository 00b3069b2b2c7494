// What the core of causeway.exe tells of itself; `causeway.exe status` shows it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace causeway::shim {

struct ShimStatus {
  struct Pipe {
    std::string name;
    bool serving = false;
    std::string reason;  // why not, and what to do about it
  };
  struct Attach {
    std::uint32_t pid = 0;                // 0: doesn't run
    std::uint32_t starts = 0;             // since the shim's start
    std::string last_end;                 // how it ended the last time
    std::vector<std::string> last_lines;  // of what it said, newest last
  };
  // "stopped", "starting", "dialing", "greeting", "connected", "waiting", "stopping"
  std::string state;
  std::string reason;              // why it is in this state; what the last error was
  std::string transport;           // "hvsocket", "tcp", "stdio"; empty: no link
  std::string transport_reason;    // why not hvsocket, when it isn't
  std::uint64_t connected_ms = 0;  // for how long
  std::string agent_version;
  std::string vm_id;
  std::vector<Pipe> pipes;
  Attach attach;
  std::uint32_t clients = 0;  // of the pipes, now
  std::uint64_t clients_total = 0;
  std::uint64_t refused_total = 0;  // answered with 503
  std::uint64_t links_total = 0;    // that came up
  std::uint32_t streams = 0;        // on the link, now
  std::uint32_t handles = 0;        // of this process
  bool connected() const { return !transport.empty(); }
};

}  // namespace causeway::shim
