#include "init/log_drain.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace causeway::init {
namespace {

constexpr std::size_t kAtOnce = 65536;
std::array<char, kAtOnce> g_discarded;  // PID 1 has one thread, and its stack stays small

// A pipe is full when its page slots are, and a write that doesn't fit into the rest of the last
// page takes a new one: lines of 2.1 KiB fill it at half its capacity in bytes. A descriptor that
// can write is asked directly; one that can't leaves only the worst case to go by.
bool nearly_full(int fd, std::size_t held, std::size_t capacity) {
  if (held >= capacity / 8 * 7) return true;
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY) return held >= capacity / 2;
  pollfd writable{fd, POLLOUT, 0};
  return ::poll(&writable, 1, 0) == 0;
}

}  // namespace

std::size_t drain_full_fifo(int fd) {
  const int capacity = ::fcntl(fd, F_GETPIPE_SZ);
  int held = 0;
  if (capacity <= 0 || ::ioctl(fd, FIONREAD, &held) != 0 || held <= 0) return 0;
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY) return 0;
  const auto bytes = static_cast<std::size_t>(held);
  if (!nearly_full(fd, bytes, static_cast<std::size_t>(capacity))) return 0;
  const ssize_t n = ::read(fd, g_discarded.data(), std::min(bytes, kAtOnce));
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

}  // namespace causeway::init
