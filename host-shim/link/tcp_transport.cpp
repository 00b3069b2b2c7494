#include "link/tcp_transport.h"

#include <charconv>

namespace causeway::shim::link {
namespace {

constexpr std::string_view kLoopback = "127.0.0.1:";

std::string ipv4(unsigned long host, unsigned short port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(host);
  out.sin_port = htons(port);
  return std::string(reinterpret_cast<const char*>(&out), sizeof out);
}

}  // namespace

Result<SocketTarget> tcp_target(std::string_view address) {
  unsigned short port = 0;
  const bool loopback = address.starts_with(kLoopback);
  const char* end = address.data() + address.size();
  const auto parsed =
      std::from_chars(address.data() + (loopback ? kLoopback.size() : address.size()), end, port);
  if (!loopback || parsed.ec != std::errc{} || parsed.ptr != end || port == 0)
    return make_error("\"" + std::string(address) + "\" is not 127.0.0.1:PORT");
  SocketTarget target;
  target.family = AF_INET;
  target.protocol = IPPROTO_TCP;
  target.local = ipv4(INADDR_ANY, 0);
  target.remote = ipv4(INADDR_LOOPBACK, port);
  target.name = std::string(address);
  target.prepare = [](SOCKET socket) -> Status {
    const BOOL on = TRUE;  // frames are put together already
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
    return Ok{};
  };
  return target;
}

}  // namespace causeway::shim::link
