#include "distro/listening.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace causeway::distro {
namespace {

std::int64_t bound_ns(const struct stat& info) {
  return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace

Listening probe_socket(const RootFiles& files, const std::string& path) {
  const auto file = files.open_at(path, O_PATH | O_NOFOLLOW);
  if (!file) return Listening::unknown;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string link = "/proc/self/fd/" + std::to_string(file->get());
  std::memcpy(address.sun_path, link.data(), link.size());
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return Listening::unknown;
    // EAGAIN: so many wait for its answer that its queue is full.
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno == EAGAIN)
      return Listening::somebody;
    if (errno == ECONNREFUSED) return Listening::nobody;
    if (errno != EPROTOTYPE) return Listening::unknown;
  }
  return Listening::somebody;  // of a type that isn't for connections
}

void note_socket(const struct stat& info, Addition& addition) {
  addition.inode = static_cast<std::int64_t>(info.st_ino);
  addition.bound_ns = bound_ns(info);
}

bool is_noted_socket(const struct stat& info, const Addition& addition) {
  return addition.inode != 0 && addition.inode == static_cast<std::int64_t>(info.st_ino) &&
         addition.bound_ns == bound_ns(info);
}

}  // namespace causeway::distro
