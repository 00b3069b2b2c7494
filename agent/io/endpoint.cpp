#include "io/endpoint.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

namespace causeway::io {
namespace {

constexpr int kBacklog = 1024;  // clients that may wait while the accepting side restarts; the
                                // kernel caps it at somaxconn

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return make_error("socket path " + path + ": must have 1 to " +
                      std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, mode_t mode) {
  auto address = address_of(path);
  if (!address) return std::move(address).error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + path);
  // The mode of the descriptor becomes the mode of the file, so that it is never wider than wanted
  // (unix(7), "Pathname socket ownership and permissions": Linux applies the umask to the socket's
  // own mode).
  if (::fchmod(fd.get(), mode) != 0) return errno_error("chmod the socket of " + path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
    return errno_error("bind " + path);
  if (::chmod(path.c_str(), mode) != 0) return errno_error("chmod " + path);
  if (::listen(fd.get(), kBacklog) != 0) return errno_error("listen on " + path);
  return fd;
}

Result<UniqueFd> connect_unix(const std::string& path) {
  auto address = address_of(path);
  if (!address) return std::move(address).error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
    return errno_error("connect " + path);
  return fd;
}

Result<Peer> peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return errno_error("SO_PEERCRED");
  return Peer{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace causeway::io
