#include "io/splice.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace causeway::io {
namespace {

// splice(2) against read + write with a buffer of 64, 128 or 256 KiB, 1 GiB between two unix
// sockets on Linux 6.18, two cores: with writes of 32 KiB (dockerd's) 0.12-0.23 s of our CPU
// against 0.23-0.41 s, of 128 KiB 0.11-0.19 s against 0.23-0.32 s, of 2 KiB no difference. A pipe
// slot holds one fragment of a socket buffer, so slots are what counts: 1 MiB are 256 slots (10 KiB
// of kernel memory; the data stay where the sender's write put them).
constexpr int kPipeBytes = 1 << 20;
// Of what all pipes hold; above it a pipe gets less. 4,096 raw streams whose receivers take nothing
// then hold 256 MiB, not 4 GiB.
constexpr std::size_t kHeldFreely = std::size_t{64} << 20;
constexpr std::size_t kPressedBytes = std::size_t{64} * 1024;
// Pipes kept in reserve: only slow receivers use more than one at a time.
constexpr std::size_t kIdlePipes = 2;
// What one direction may move before others get their turn; the poll is level-triggered.
constexpr std::size_t kBytesPerTurn = 1 << 20;
// A smaller read has emptied the socket: another one would only say EAGAIN.
constexpr std::size_t kBulkRead = std::size_t{64} * 1024;

}  // namespace

PipePool::PipePool() {
  struct sigaction action {};
  if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
  }
}

PipePool::Pipe PipePool::take() {
  if (!idle_.empty()) {
    Pipe pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return {};
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(pipe.in.get(), F_SETPIPE_SZ,
          kPipeBytes);  // refused beyond the user's limit: smaller then
  return pipe;
}

void PipePool::give(Pipe pipe) {
  if (idle_.size() < kIdlePipes) idle_.push_back(std::move(pipe));
}

std::size_t PipePool::most() const { return held_ < kHeldFreely ? kPipeBytes : kPressedBytes; }

Splice::Splice(Loop& loop, PipePool& pool, End a, End b, std::function<void()> ended)
    : loop_(loop),
      pool_(pool),
      ended_(std::move(ended)),
      ends_{std::move(a.fd), std::move(b.fd)},
      polls_{Poll(loop, ends_[0].get(), [this](unsigned events) { on_events(0, events); }),
             Poll(loop, ends_[1].get(), [this](unsigned events) { on_events(1, events); })} {
  directions_[0].pending = std::move(b.pending);
  directions_[1].pending = std::move(a.pending);
  update();
}

Splice::~Splice() {
  for (Direction& direction : directions_) return_pipe(direction);
}

void Splice::return_pipe(Direction& direction) {
  // One that still holds bytes is closed with them.
  if (direction.pipe && direction.in_pipe == 0) pool_.give(std::move(direction.pipe));
  pool_.take_held(direction.in_pipe);
  direction.pipe = {};
  direction.in_pipe = 0;
}

void Splice::on_events(std::size_t end, unsigned events) {
  const std::size_t other = 1 - end;
  if ((events & Poll::failed) != 0) poll_dead_[end] = true;
  if (!directions_[other].finished && directions_[other].blocked()) pump(other);
  if ((events & ~unsigned{Poll::writable}) != 0 && !directions_[end].eof &&
      !directions_[end].blocked()) {
    pump(end);
  }
  // A peer that closed both its directions will never read again, though nothing may be on its way.
  if (!directions_[other].finished && (poll_dead_[end] || (directions_[end].eof && hung_up(end)))) {
    finish(other, true);
  }
  if (directions_[0].finished && directions_[1].finished) {
    polls_[0].watch(0);
    polls_[1].watch(0);
    // Moved out: the callback may destroy us, and with us itself.
    const auto ended = std::move(ended_);
    ended();
    return;
  }
  update();
}

// Moves what there is from ends_[from] to the other, until one of them must be waited for.
void Splice::pump(std::size_t from) {
  Direction& direction = directions_[from];
  for (std::size_t moved = 0;;) {
    Step step = send_pending(from);
    if (step == Step::more) step = send_pipe(from);
    if (step == Step::receiver_gone) return finish(from, true);
    if (step == Step::wait) return;
    if (direction.eof) return finish(from, false);
    // Behind EPOLLERR no poll tells of the rest: then all is taken in one go.
    if (moved >= kBytesPerTurn && !poll_dead_[from]) break;
    std::size_t got = 0;
    step = read_some(from, &got);
    if (step == Step::receiver_gone) return finish(from, true);
    if (step == Step::wait && poll_dead_[from]) direction.eof = true;
    if (step == Step::wait && !direction.eof) break;
    moved += got;
    if (!direction.eof && got < kBulkRead && !poll_dead_[from]) {
      // Sends it and ends here.
      moved = kBytesPerTurn;
    }
  }
  return_pipe(direction);
}

Splice::Step Splice::send_pending(std::size_t from) {
  Direction& direction = directions_[from];
  while (direction.pending_sent < direction.pending.size()) {
    const ssize_t n =
        ::send(ends_[1 - from].get(), direction.pending.data() + direction.pending_sent,
               direction.pending.size() - direction.pending_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Step::wait : Step::receiver_gone;
    direction.pending_sent += static_cast<std::size_t>(n);
  }
  std::string().swap(direction.pending);
  direction.pending_sent = 0;
  return Step::more;
}

Splice::Step Splice::send_pipe(std::size_t from) {
  Direction& direction = directions_[from];
  while (direction.in_pipe > 0) {
    const ssize_t n = ::splice(direction.pipe.out.get(), nullptr, ends_[1 - from].get(), nullptr,
                               direction.in_pipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Step::wait;
    if (n <= 0) return Step::receiver_gone;
    direction.in_pipe -= static_cast<std::size_t>(n);
    pool_.take_held(static_cast<std::size_t>(n));
  }
  return Step::more;
}

Splice::Step Splice::read_some(std::size_t from, std::size_t* got) {
  Direction& direction = directions_[from];
  if (!direction.pipe) direction.pipe = pool_.take();
  if (!direction.pipe) return copy_some(from, got);
  ssize_t n = 0;
  do {
    n = ::splice(ends_[from].get(), nullptr, direction.pipe.in.get(), nullptr, pool_.most(),
                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return Step::wait;
  if (n < 0 && errno == EINVAL) return copy_some(from, got);  // a socket type that cannot splice
  if (n <= 0) {
    // A reset ends the reading as FIN does: what was sent before it has been read.
    direction.eof = true;
    return Step::more;
  }
  direction.in_pipe = *got = static_cast<std::size_t>(n);
  pool_.add_held(direction.in_pipe);
  return Step::more;
}

// The way without a pipe: what the receiver doesn't take now waits in `pending`.
Splice::Step Splice::copy_some(std::size_t from, std::size_t* got) {
  Direction& direction = directions_[from];
  const auto buffer = loop_.read_buffer();
  ssize_t n = 0;
  do {
    n = ::read(ends_[from].get(), buffer.data(), buffer.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return Step::wait;
  if (n <= 0) {
    direction.eof = true;
    return Step::more;
  }
  *got = static_cast<std::size_t>(n);
  ssize_t sent = ::send(ends_[1 - from].get(), buffer.data(), *got, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) return Step::receiver_gone;
    sent = 0;
  }
  direction.pending.assign(buffer.data() + sent, *got - static_cast<std::size_t>(sent));
  return Step::more;
}

void Splice::finish(std::size_t from, bool receiver_gone) {
  Direction& direction = directions_[from];
  direction.finished = true;
  direction.eof = true;
  std::string().swap(direction.pending);
  direction.pending_sent = 0;
  return_pipe(direction);
  if (receiver_gone) {
    ::shutdown(ends_[from].get(), SHUT_RD);
  } else {
    ::shutdown(ends_[1 - from].get(), SHUT_WR);
  }
}

bool Splice::hung_up(std::size_t end) const {
  pollfd state{ends_[end].get(), 0, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

// What to wait for follows from the state, in one place.
void Splice::update() {
  for (std::size_t end = 0; end < 2; ++end) {
    if (poll_dead_[end]) continue;
    const Direction& out = directions_[end];
    const Direction& in = directions_[1 - end];
    unsigned events = 0;
    if (!out.finished && !out.eof && !out.blocked()) events |= Poll::readable;
    if (!in.finished && in.blocked()) events |= Poll::writable;
    // Its FIN was read; that it closes wholly must still be seen.
    if (out.eof && !in.finished) events |= Poll::priority;
    polls_[end].watch(events);
  }
}

}  // namespace causeway::io
