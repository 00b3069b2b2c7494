#include "init/console.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace causeway::init {
namespace {

const char* level_name(log::Level level) {
  switch (level) {
    case log::Level::debug:
      return "debug";
    case log::Level::info:
      return "info";
    case log::Level::warning:
      return "warning";
    case log::Level::error:
      return "error";
  }
  return "error";
}

bool is_dev_null(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
}

}  // namespace

void open_console() { ::tzset(); }

void say(log::Level level, const char* format, ...) {
  // Below PIPE_BUF, so that a pipe takes it whole or poll() says that it can't.
  std::array<char, 1024> line;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  ::localtime_r(&now.tv_sec, &local);
  std::size_t used = std::strftime(line.data(), line.size(), "%Y-%m-%dT%H:%M:%S", &local);
  auto room = [&] { return line.size() - 1 - used; };  // the newline always fits
  auto add = [&](int n) { used += std::min(static_cast<std::size_t>(std::max(n, 0)), room() - 1); };
  add(std::snprintf(line.data() + used, room(), ".%03ld init %s ", now.tv_nsec / 1000000,
                    level_name(level)));
  va_list arguments;
  va_start(arguments, format);
  add(std::vsnprintf(line.data() + used, room(), format, arguments));
  va_end(arguments);
  line[used++] = '\n';
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT) != 0)
    (void)!::write(STDERR_FILENO, line.data(), used);
}

void fill_standard_fds() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", O_RDWR);
}

void use_dev_console() {
  const int console = ::open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (console < 0) return;
  for (int fd = 0; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 || is_dev_null(fd)) ::dup2(console, fd);
  if (console > STDERR_FILENO) ::close(console);
}

}  // namespace causeway::init
