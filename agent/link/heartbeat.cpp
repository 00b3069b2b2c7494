#include "link/heartbeat.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace causeway::link {
namespace {

UniqueFd timer(std::uint64_t interval_ms) {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  itimerspec when{};
  when.it_interval.tv_sec = static_cast<std::time_t>(interval_ms / 1000);
  when.it_interval.tv_nsec = static_cast<long>(interval_ms % 1000) * 1'000'000;
  when.it_value = when.it_interval;
  if (fd) ::timerfd_settime(fd.get(), 0, &when, nullptr);
  return fd;
}

}  // namespace

Heartbeat::Heartbeat(io::Loop& loop, std::uint64_t interval_ms, std::function<void()> beat)
    : timer_(timer(interval_ms)),
      beat_(std::move(beat)),
      poll_(loop, timer_.get(), [this](unsigned) {
        std::uint64_t times = 0;
        if (::read(timer_.get(), &times, sizeof(times)) == sizeof(times)) beat_();
      }) {
  poll_.watch(io::Poll::readable);
}

}  // namespace causeway::link
