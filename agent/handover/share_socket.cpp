#include "handover/share_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>

#include "base/scope_exit.h"
#include "io/endpoint.h"

namespace causeway::handover {
namespace {

constexpr int kBacklog = 128;  // helpers that wait while the agent restarts: one a distro

// unix(7) has no bind by directory descriptor; the descriptor's link in /proc leads to the same.
Result<sockaddr_un> address_in(int directory, const std::string& name) {
  const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.find('/') != std::string::npos ||
      path.size() >= sizeof(address.sun_path))
    return make_error("socket " + name + ": not a name for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error("socket");
  return fd;
}

// What the kernel knows of an open file. Its file system isn't asked: somebody may have mounted one
// there that is away.
std::optional<struct statx> look_at(int fd) {
  struct statx info {};
  const int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
  const unsigned mask = STATX_TYPE | STATX_MODE | STATX_UID | STATX_MNT_ID;
  if (::statx(fd, "", flags, mask, &info) != 0) return std::nullopt;
  return info;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Result<UniqueFd> open_trusted(const std::string& base, const std::vector<std::string>& parts) {
  UniqueFd at(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return errno_error("open " + base);
  std::string path = base;
  const auto first = look_at(at.get());
  if (!first) return errno_error("stat " + base);
  for (const auto& part : parts) {
    path += '/';
    path += part;
    UniqueFd next(::openat(at.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return errno_error("open " + path);
    const auto info = look_at(next.get());
    if (!info) return errno_error("stat " + path);
    if (info->stx_mnt_id != first->stx_mnt_id)
      return make_error("something is mounted on " + path + ": not ours");
    if (S_ISLNK(info->stx_mode)) return Error{path + " is a link: not ours", EPERM};
    if (!S_ISDIR(info->stx_mode)) return Error{path + " is no directory: not ours", EPERM};
    if (info->stx_uid != 0)
      return Error{path + " belongs to user " + std::to_string(info->stx_uid) + ", not to root",
                   EPERM};
    if ((info->stx_mode & (S_IWGRP | S_IWOTH)) != 0)
      return Error{path + " is writable for others than root", EPERM};
    at = std::move(next);
  }
  return at;
}

Result<UniqueFd> connect_in(int directory, const std::string& name) {
  const auto address = address_in(directory, name);
  if (!address) return address.error();
  auto fd = make_socket();
  if (!fd) return fd;
  if (::connect(fd->get(), generic(*address), sizeof(*address)) != 0)
    return errno_error("connect " + name);
  const auto peer = io::peer_of(fd->get());
  if (!peer) return peer.error();
  if (peer->uid != 0)
    return make_error("connect " + name + ": user " + std::to_string(peer->uid) +
                      " listens there, not root");
  return fd;
}

Result<Listening> listen_in(int directory, const std::string& name) {
  const std::string temporary = "." + name + ".new";
  const auto address = address_in(directory, temporary);
  if (!address) return address.error();
  auto fd = make_socket();
  if (!fd) return fd.error();
  if (::unlinkat(directory, temporary.c_str(), 0) != 0 && errno != ENOENT)
    return errno_error("remove " + temporary);
  // The mode of the descriptor becomes the mode of the file (unix(7)).
  if (::fchmod(fd->get(), 0600) != 0) return errno_error("chmod the socket of " + name);
  if (::bind(fd->get(), generic(*address), sizeof(*address)) != 0)
    return errno_error("bind " + temporary);
  ScopeExit discard([&] { ::unlinkat(directory, temporary.c_str(), 0); });
  if (::fchmodat(directory, temporary.c_str(), 0600, 0) != 0)
    return errno_error("chmod " + temporary);
  if (::listen(fd->get(), kBacklog) != 0) return errno_error("listen on " + temporary);
  auto file = file_id(directory, temporary);
  if (!file) return std::move(file).error();
  if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0)
    return errno_error("rename to " + name);
  discard.dismiss();
  return Listening{std::move(*fd), *file};
}

Result<FileId> file_id(int directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno_error("stat " + name);
  return FileId{info.st_dev, info.st_ino};
}

}  // namespace causeway::handover
