#include "io/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <utility>

namespace causeway::io {
namespace {
// Reads per wake-up before the other connections get their turn; the poll is level-triggered, so
// nothing is missed.
constexpr int kReadsPerTurn = 4;
// A queue that has been this long once gives its memory back when it is empty.
constexpr std::size_t kKeepQueueBytes = 4096;
}  // namespace

Stream::Stream(Loop& loop, UniqueFd fd, Handler* handler)
    : ByteStream(handler),
      loop_(loop),
      fd_(std::move(fd)),
      poll_(
          std::make_unique<Poll>(loop, fd_.get(), [this](unsigned events) { on_events(events); })) {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if ((flags & O_NONBLOCK) == 0) ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
}

Stream::~Stream() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void Stream::pause(Pause reason) {
  pauses_ |= reason;
  update();
}

void Stream::resume(Pause reason) {
  if ((pauses_ & reason) == 0) return;
  pauses_ &= ~static_cast<unsigned>(reason);
  update();
  if (pauses_ == 0 && poll_dead_ && !read_dead_) {
    // No poll will tell any more (EPOLLERR ended it), yet bytes may wait in the socket.
    loop_.defer(lifetime_.guard([this] {
      if (pauses_ == 0) read_ready(true);
    }));
  }
}

void Stream::watch_hangup(bool on) {
  watch_hangup_ = on;
  update();
}

// What to wait for follows from the state, in one place.
void Stream::update() {
  if (poll_dead_ || !poll_) return;
  unsigned events = 0;
  if (!read_dead_ && pauses_ == 0) events |= Poll::readable;
  if (!write_dead_ && queued() > 0) events |= Poll::writable;
  if (watch_hangup_ && !read_dead_) events |= peer_fin_ ? Poll::priority : Poll::disconnect;
  if (watch_hangup_ && read_dead_ && !write_dead_) events |= Poll::priority;
  poll_->watch(events);
}

bool Stream::hung_up() const {
  pollfd state{fd_.get(), 0, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0;
}

void Stream::on_events(unsigned events) {
  bool gone = false;
  auto* const outer = std::exchange(destroyed_, &gone);
  if ((events & Poll::failed) != 0) poll_dead_ = true;

  if ((events & (Poll::writable | Poll::failed)) != 0 && queued() > 0) {
    flush();
    if (gone) return;
  }
  if (((events & Poll::readable) != 0 || poll_dead_) && pauses_ == 0 && !read_dead_) {
    read_ready(poll_dead_);
    if (gone) return;
  }
  if (watch_hangup_ && (events & (Poll::disconnect | Poll::priority | Poll::failed)) != 0) {
    peer_fin_ = true;
    if (poll_dead_ || hung_up()) {
      watch_hangup_ = false;
      read_dead_ = true;
      write_dead_ = true;
      queue_.clear();
      queue_sent_ = 0;
      handler_->on_read_error(make_error("the peer closed the connection"));
      if (gone) return;
    }
  } else if (poll_dead_ && pauses_ != 0 && !write_dead_) {
    // Nothing more can be sent; what can still be read is read on resume().
    fail_write(EPIPE);
    if (gone) return;
  }
  destroyed_ = outer;
  update();
}

void Stream::read_ready(bool after_error) {
  bool gone = false;
  auto* const outer = std::exchange(destroyed_, &gone);
  const auto buffer = loop_.read_buffer();
  for (int i = 0; after_error || i < kReadsPerTurn; ++i) {
    // recv() and send() rather than read() and sendmsg(): less work in the kernel, 1-2 us a
    // request.
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && !after_error) break;
    if (n <= 0) {
      read_dead_ = true;
      update();
      if (n == 0) {
        handler_->on_eof();
      } else {
        handler_->on_read_error(errno_error("read"));
      }
      break;
    }
    handler_->on_data({buffer.data(), static_cast<std::size_t>(n)});
    if (gone) {
      if (outer != nullptr) *outer = true;
      return;
    }
    // A short read has emptied the socket: the next poll tells when there is more.
    if (pauses_ != 0 || read_dead_ || (!after_error && static_cast<std::size_t>(n) < buffer.size()))
      break;
  }
  if (gone) {
    if (outer != nullptr) *outer = true;
    return;
  }
  destroyed_ = outer;
  update();
}

void Stream::write(std::string_view bytes) { write(bytes, {}); }

void Stream::write(std::string_view first, std::string_view second) {
  if (write_dead_ || fin_wanted_ || first.size() + second.size() == 0) return;
  if (queued() == 0) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ssize_t n = 0;
    do {
      n = second.empty()
              ? ::send(fd_.get(), first.data(), first.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
              : ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN) {
      // Told in the next turn: the owner is in the middle of something.
      write_error_ = errno;
      write_dead_ = true;
      loop_.defer(lifetime_.guard(
          [this] { handler_->on_write_error(errno_error("write", write_error_)); }));
      return;
    }
    auto sent = static_cast<std::size_t>(n < 0 ? 0 : n);
    const auto from_first = std::min(sent, first.size());
    first.remove_prefix(from_first);
    second.remove_prefix(sent - from_first);
  }
  if (first.size() + second.size() == 0) return;
  if (queue_sent_ > 0) {
    queue_.erase(0, queue_sent_);
    queue_sent_ = 0;
  }
  queue_.append(first).append(second);
  drain_wanted_ = true;
  update();
}

void Stream::flush() {
  while (queued() > 0) {
    const ssize_t n =
        ::send(fd_.get(), queue_.data() + queue_sent_, queued(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      fail_write(errno);
      return;
    }
    queue_sent_ += static_cast<std::size_t>(n);
  }
  queue_.clear();
  if (queue_.capacity() > kKeepQueueBytes) std::string().swap(queue_);
  queue_sent_ = 0;
  if (fin_wanted_) send_fin();
  update();
  if (std::exchange(drain_wanted_, false)) handler_->on_drained();
}

void Stream::fail_write(int code) {
  write_dead_ = true;
  std::string().swap(queue_);
  queue_sent_ = 0;
  update();
  handler_->on_write_error(errno_error("write", code));
}

void Stream::shutdown_write() {
  if (fin_wanted_ || write_dead_) return;
  fin_wanted_ = true;
  if (queued() == 0) send_fin();
}

void Stream::send_fin() {
  if (std::exchange(fin_sent_, true)) return;
  ::shutdown(fd_.get(), SHUT_WR);
}

UniqueFd Stream::release(std::string* unsent) {
  unsent->assign(queue_, queue_sent_, std::string::npos);
  std::string().swap(queue_);
  queue_sent_ = 0;
  poll_.reset();
  read_dead_ = true;
  write_dead_ = true;
  return std::move(fd_);
}

}  // namespace causeway::io
