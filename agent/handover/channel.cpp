#include "handover/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace causeway::handover {
namespace {

// One descriptor is allowed; room for more tells too many from none at all.
constexpr std::size_t kFdRoom = 8;
constexpr int kMessagesPerTurn = 64;  // then others of the loop have their turn

bool peer_is_gone(int code) {
  return code == EPIPE || code == ECONNRESET || code == ECONNREFUSED || code == ENOTCONN;
}

// Every descriptor of `header` is owned from here on, wanted or not.
std::vector<UniqueFd> take_descriptors(msghdr& header) {
  std::vector<UniqueFd> out;
  for (auto* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      out.emplace_back(fd);
    }
  }
  return out;
}

}  // namespace

Channel::Channel(io::Loop& loop, UniqueFd connected, OnMessage message, OnClosed closed)
    : loop_(loop),
      fd_(std::move(connected)),
      message_(std::make_shared<OnMessage>(std::move(message))),
      closed_(std::move(closed)) {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
  poll_ = std::make_unique<io::Poll>(loop, fd_.get(), [this](unsigned e) { on_events(e); });
  update();
}

Channel::~Channel() = default;

void Channel::send(Message message) {
  if (ended_ || closing_ || write_dead_) return;
  const std::string what(type_name(message.body));
  if (has_descriptor(message.body) != static_cast<bool>(message.fd))
    return end(make_error("send " + what + ": the descriptor is missing, or one too many"));
  auto text = encode(message.body);
  if (!text) return end(std::move(text).error().with("send"));
  if (queue_.size() >= kMaxQueued || queued_bytes_ + text->size() > kMaxQueuedBytes)
    return end(make_error("send " + what + ": the other side doesn't read"));
  queued_bytes_ += text->size();
  queue_.push_back({*std::move(text), std::move(message.fd)});
  if (queue_.size() == 1) flush();
}

void Channel::close_when_sent() {
  closing_ = true;
  if (queue_.empty()) return end(make_error("closed"));
  update();
}

// Ends us, or sends what the kernel takes.
void Channel::flush() {
  while (!queue_.empty()) {
    const auto& next = queue_.front();
    iovec part{const_cast<char*>(next.text.data()), next.text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (next.fd) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = next.fd.get();
      std::memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    }
    if (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      if (!peer_is_gone(errno)) return end(errno_error("send"));
      // What it said before it went may be unread: a Refused, for one. Its end comes behind that.
      write_dead_ = true;
      queue_.clear();
      queued_bytes_ = 0;
      break;
    }
    queued_bytes_ -= next.text.size();
    queue_.pop_front();
  }
  if (closing_ && queue_.empty()) return end(make_error("closed"));
  update();
}

Channel::Receive Channel::receive_one(Message& message) {
  const auto buffer = loop_.read_buffer();
  iovec part{buffer.data(), std::min(buffer.size(), kMaxDatagram)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFdRoom * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  ssize_t size = 0;
  bool reset = false;
  for (;;) {
    header.msg_controllen = control.size();
    size = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size >= 0) break;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return Receive::nothing;
    // The kernel reports that the peer left something unread before it gives what the peer had
    // sent; asked again it gives that.
    if (errno == ECONNRESET && !std::exchange(reset, true)) continue;
    end(errno_error("receive"));
    return Receive::ended;
  }
  auto descriptors = take_descriptors(header);
  const char* wrong = nullptr;
  if ((header.msg_flags & MSG_TRUNC) != 0) wrong = "a message that is too large";
  if ((header.msg_flags & MSG_CTRUNC) != 0 || descriptors.size() > 1)
    wrong = "a message with too many descriptors";
  if (wrong == nullptr && size == 0) wrong = "the other side closed";
  if (wrong != nullptr) {
    end(make_error(wrong));
    return Receive::ended;
  }
  auto body = decode(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  if (!body) {
    end(std::move(body).error());
    return Receive::ended;
  }
  if (has_descriptor(*body) == descriptors.empty()) {
    end(make_error("a message " + std::string(type_name(*body)) +
                   (descriptors.empty() ? " without its descriptor" : " with a descriptor")));
    return Receive::ended;
  }
  message.body = *std::move(body);
  if (!descriptors.empty()) message.fd = std::move(descriptors[0]);
  return Receive::message;
}

void Channel::on_events(unsigned events) {
  if ((events & io::Poll::writable) != 0 && !ended_) flush();
  if (ended_) return;
  if (closing_) {
    if ((events & (io::Poll::disconnect | io::Poll::failed)) != 0) end(make_error("closed"));
    return;
  }
  const auto alive = lifetime_.watch();
  const auto tell = message_;
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    Message message;
    if (receive_one(message) != Receive::message) break;
    (*tell)(std::move(message));
    if (alive.ended()) return;
    if (ended_ || closing_) return;
  }
  if (!ended_) update();  // libuv ends a watch that failed; there may be more to read
}

void Channel::update() {
  if (ended_) return;
  unsigned events = closing_ ? io::Poll::disconnect : io::Poll::readable;
  if (!queue_.empty()) events |= io::Poll::writable;
  poll_->watch(events);
}

void Channel::end(Error error) {
  if (ended_) return;
  ended_ = true;
  queue_.clear();
  queued_bytes_ = 0;
  poll_.reset();
  fd_.reset();
  loop_.defer(lifetime_.guard([this, error = std::move(error)] {
    const auto closed = std::move(closed_);  // it may destroy us
    closed(error);
  }));
}

}  // namespace causeway::handover
