#include "link/endpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <linux/vm_sockets.h>

#include <memory>
#include <utility>

#include "io/endpoint.h"

namespace causeway::link {
namespace {

// Windows dials once, and again when that was lost.
constexpr int kBacklog = 16;

template <typename Address>
Result<UniqueFd> listen_on(int family, const Address& address) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  // An agent that was killed may leave connections of the port behind.
  const int on = 1;
  if (family == AF_INET) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return errno_error("bind");
  if (::listen(fd.get(), kBacklog) != 0) return errno_error("listen");
  return fd;
}

}  // namespace

Endpoint unix_endpoint(const std::string& path, UniqueFd listening) {
  Endpoint out;
  out.transport = "unix";
  out.may_be_silent = true;
  out.address = path;
  out.listen = [given = std::make_shared<UniqueFd>(std::move(listening))]() -> Result<UniqueFd> {
    if (!*given) return make_error("init binds it once; restart docker-desktop");
    return std::move(*given);
  };
  out.admit = [](int fd) -> Status {
    const auto peer = io::peer_of(fd);
    if (!peer) return peer.error();
    if (peer->uid != 0) return make_error("uid " + std::to_string(peer->uid) + " is not root");
    return Ok{};
  };
  return out;
}

Endpoint vsock_endpoint(std::uint32_t port, std::uint32_t peer_cid) {
  Endpoint out;
  out.transport = "vsock";
  out.address = "port " + std::to_string(port);
  out.listen = [port]() -> Result<UniqueFd> {
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = VMADDR_CID_ANY;
    address.svm_port = port;
    return listen_on(AF_VSOCK, address);
  };
  out.admit = [peer_cid](int fd) -> Status {
    sockaddr_vm address{};
    socklen_t size = sizeof(address);
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return errno_error("getpeername");
    if (address.svm_family != AF_VSOCK || address.svm_cid != peer_cid)
      return make_error("CID " + std::to_string(address.svm_cid) + " is not Windows' (" +
                        std::to_string(peer_cid) + ")");
    return Ok{};
  };
  return out;
}

Endpoint tcp_endpoint(std::uint16_t port) {
  Endpoint out;
  out.transport = "tcp";
  out.address = "127.0.0.1:" + std::to_string(port);
  out.listen = [port]() -> Result<UniqueFd> {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return listen_on(AF_INET, address);
  };
  out.admit = [](int fd) -> Status {
    // Small frames are not to wait for the answer to those before.
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return Ok{};
  };
  return out;
}

bool is_wsl_kernel(std::string_view release) {
  return release.find("microsoft") != std::string_view::npos ||
         release.find("Microsoft") != std::string_view::npos;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

}  // namespace causeway::link
