// Where the Windows side of the link can connect, and who may.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::link {

struct Endpoint {
  std::string transport;  // vsock, unix, tcp
  std::string address;    // for people
  // A listening socket; called again when the one before has died.
  std::function<Result<UniqueFd>()> listen;
  // Whether the peer may talk to us at all; the nonce is asked for in any case.
  std::function<Status(int fd)> admit;
  // Whether a peer may say nothing at all: Windows holds the distro open through `causeway attach`,
  // whose connection carries the link only when nothing better does.
  bool may_be_silent = false;
};

// link.sock, which init has bound: root only. It can't be bound again.
Endpoint unix_endpoint(const std::string& path, UniqueFd listening);
// AF_VSOCK; only connections from `peer_cid` are taken, which is 2, the host, but in tests.
Endpoint vsock_endpoint(std::uint32_t port, std::uint32_t peer_cid);
Endpoint tcp_endpoint(std::uint16_t port);  // on 127.0.0.1

// Whether this is a kernel of WSL, by its release (uname): only there is anybody at the other end.
bool is_wsl_kernel(std::string_view release);
std::string kernel_release();

}  // namespace causeway::link
