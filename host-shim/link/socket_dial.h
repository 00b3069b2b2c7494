// One attempt to connect a socket of any family, asynchronously, with a deadline: what hvsocket and
// loopback TCP share.
#pragma once

#include <windows.h>
#include <winsock2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "link/transport.h"
#include "windows/completion_port.h"

namespace causeway::shim::link {

struct SocketTarget {
  int family = 0;
  int protocol = 0;
  std::string local;                      // sockaddr to bind, ConnectEx wants one
  std::string remote;                     // sockaddr
  std::string name;                       // for messages
  std::function<Status(SOCKET)> prepare;  // between socket() and bind(); may be empty
};

// While it lives the attempt goes on; destroyed, nothing is told any more.
class SocketDial {
 public:
  using Done = std::function<void(Result<std::unique_ptr<Transport>>)>;
  // `done` is called once, not within this call, and may destroy the SocketDial.
  SocketDial(CompletionPort& port, SocketTarget target, std::uint64_t timeout_ms, Done done);
  ~SocketDial();
  SocketDial(const SocketDial&) = delete;
  SocketDial& operator=(const SocketDial&) = delete;

 private:
  struct Attempt;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace causeway::shim::link
