#include "walk/walk_message.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>

namespace causeway::walk {
namespace {

// A kind and a number in front of the text. The longest text is an error that quotes a path, whose
// bytes may be escaped.
constexpr std::size_t kHead = 1 + sizeof(int);
constexpr std::size_t kMostText = std::size_t{6} * PATH_MAX;
constexpr std::string_view kKinds = "ordgseORDF";

}  // namespace

bool has_descriptor(Kind kind) {
  return kind == Kind::open || kind == Kind::resolve || kind == Kind::drop || kind == Kind::opened;
}

Status send(int socket, const Message& message) {
  if (message.text.size() > kMostText) return make_error("send: the text is too long");
  std::array<char, kHead> head{};
  head[0] = static_cast<char>(message.kind);
  std::memcpy(head.data() + 1, &message.number, sizeof(int));
  std::array<iovec, 2> parts{iovec{head.data(), head.size()},
                             iovec{const_cast<char*>(message.text.data()), message.text.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (message.fd) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = message.fd.get();
    std::memcpy(CMSG_DATA(rights), &fd, sizeof(int));
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    if (errno != EINTR) return errno_error("send");
  return Ok{};
}

Result<Message> receive(int socket, bool only_waiting) {
  std::array<char, kHead> head{};
  std::string text(kMostText, '\0');
  std::array<iovec, 2> parts{iovec{head.data(), head.size()}, iovec{text.data(), text.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (only_waiting ? MSG_DONTWAIT : 0));
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno_error("receive");
  Message out;
  if (const auto* rights = CMSG_FIRSTHDR(&header);
      rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof(int));
    out.fd.reset(fd);
  }
  if (size == 0) return Error{"the other side has ended", EPIPE};
  const bool whole = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (static_cast<std::size_t>(size) < kHead || !whole ||
      kKinds.find(head[0]) == std::string_view::npos)
    return make_error("receive: no message of ours");
  out.kind = static_cast<Kind>(head[0]);
  std::memcpy(&out.number, head.data() + 1, sizeof(int));
  text.resize(static_cast<std::size_t>(size) - kHead);
  out.text = std::move(text);
  if (has_descriptor(out.kind) != static_cast<bool>(out.fd))
    return make_error("receive: the descriptor is missing, or one too many");
  return out;
}

}  // namespace causeway::walk
