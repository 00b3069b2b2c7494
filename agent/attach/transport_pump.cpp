#include "attach/transport_pump.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

namespace causeway::attach {
namespace {

// What wsl.exe moves at once; also the bound of what waits in one direction.
constexpr std::size_t kBuffer = std::size_t{64} * 1024;

// One direction: read when empty, written when not.
struct Direction {
  int from;
  int to;
  std::vector<char> buffer = std::vector<char>(kBuffer);
  std::size_t begin = 0;
  std::size_t end = 0;
  bool eof = false;
  bool done = false;  // all is written, and the end was passed on

  bool empty() const { return begin == end; }
};

// poll(2) has said that it won't block. False at the end of the input.
Result<bool> fill(Direction& direction) {
  const ssize_t n = ::read(direction.from, direction.buffer.data(), direction.buffer.size());
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  // A peer that closed without reading all: for us that is its end, too.
  if (n < 0 && errno != ECONNRESET) return errno_error("read");
  direction.begin = 0;
  direction.end = static_cast<std::size_t>(n > 0 ? n : 0);
  return n > 0;
}

Status drain(Direction& direction, bool socket) {
  // A blocking pipe that polls writable takes a page without blocking (pipe(7)), a socket what it
  // can with MSG_DONTWAIT.
  const std::size_t size = direction.end - direction.begin;
  const char* data = direction.buffer.data() + direction.begin;
  const ssize_t n = socket ? ::send(direction.to, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : ::write(direction.to, data, std::min<std::size_t>(size, 4096));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return Ok{};
  if (n < 0) return errno_error("write");
  direction.begin += static_cast<std::size_t>(n);
  return Ok{};
}

}  // namespace

Status carry(int in, int out, int socket) {
  Direction up{in, socket};
  Direction down{socket, out};
  while (!down.done) {
    // Descriptors that are -1 are left out by poll(2).
    std::array<pollfd, 4> ends{pollfd{up.eof || !up.empty() ? -1 : up.from, POLLIN, 0},
                               pollfd{up.empty() ? -1 : up.to, POLLOUT, 0},
                               pollfd{down.eof || !down.empty() ? -1 : down.from, POLLIN, 0},
                               pollfd{down.empty() ? -1 : down.to, POLLOUT, 0}};
    if (::poll(ends.data(), ends.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return errno_error("poll");
    }
    for (auto* direction : {&up, &down}) {
      const auto& readable = ends[direction == &up ? 0 : 2];
      const auto& writable = ends[direction == &up ? 1 : 3];
      if (readable.revents != 0) {
        auto more = fill(*direction);
        if (!more) return std::move(more).error();
        direction->eof = !*more;
      }
      if (writable.revents != 0) {
        auto written = drain(*direction, direction == &up);
        // The socket's end is told by reading from it: what it still has to say comes first.
        if (!written && direction == &up) {
          up.eof = up.done = true;
          up.begin = up.end = 0;
        } else if (!written) {
          return written;
        }
      }
      if (direction->eof && direction->empty() && !direction->done) {
        direction->done = true;
        if (direction == &up) ::shutdown(socket, SHUT_WR);
      }
    }
  }
  return Ok{};
}

}  // namespace causeway::attach
