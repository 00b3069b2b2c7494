#include "io/listener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "base/log.h"

namespace causeway::io {
namespace {
constexpr std::uint64_t kRetryMs =
    100;  // long enough not to burn a core, short enough that no client notices
constexpr int kAcceptsPerTurn = 64;  // then others get their turn; the poll is level-triggered
}  // namespace

Listener::Listener(Loop& loop, UniqueFd listening, std::function<void(UniqueFd)> accepted,
                   std::function<void(const Error&)> died)
    : fd_(std::move(listening)),
      accepted_(std::move(accepted)),
      died_(std::move(died)),
      retry_(loop),
      poll_(loop, fd_.get(), [this](unsigned) { on_readable(); }) {
  // An inherited descriptor may be blocking; accept must never wait.
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  poll_.watch(Poll::readable);
}

void Listener::pause() {
  retry_.stop();
  poll_.watch(0);
}

void Listener::resume() { poll_.watch(Poll::readable); }

bool Listener::has_waiting() const {
  pollfd state{fd_.get(), POLLIN, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLIN) != 0;
}

bool Listener::hung_up() const {
  pollfd state{fd_.get(), 0, 0};
  return ::poll(&state, 1, 0) == 1 && state.revents != 0;
}

void Listener::on_readable() {
  const auto alive = lifetime_.watch();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      accepted_(std::move(fd));
      if (alive.ended() || poll_.watched() == 0) return;
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    int code = errno;
    if (code == EAGAIN) {
      // Others may have been faster. But a socket that has died is readable for ever.
      if (i > 0 || !hung_up()) return;
      code = EINVAL;
    }
    if (died_ && (code == EINVAL || code == EBADF || code == ENOTSOCK || code == EOPNOTSUPP)) {
      poll_.watch(0);
      const auto died = std::exchange(died_, nullptr);
      return died(errno_error("accept", code));
    }
    log::warning("accept.failed", {{"fd", fd_.get()}, {"reason", std::strerror(code)}});
    poll_.watch(0);
    retry_.start(kRetryMs, [this] { poll_.watch(Poll::readable); });
    return;
  }
}

}  // namespace causeway::io
