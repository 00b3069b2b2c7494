#include "init/pid_one.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "fd_store/store_client.h"
#include "init/console.h"
#include "init/log_drain.h"

namespace causeway::init {
namespace {

constexpr std::array kHandled{SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGHUP};
// While no agent reads, a FIFO is looked at so often. A daemon that logs 1 MiB between two looks
// waits for the second one; it is never blocked for longer.
constexpr Milliseconds kDrainTick = 50;
// Requests of one agent served in a row, so that a flood doesn't keep init from reaping.
constexpr int kRequestsAtOnce = 128;

Milliseconds now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<Milliseconds>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

// Field 22 of /proc/<pid>/stat: in clock ticks since boot; 0 when it can't be read. The command,
// field 2, may hold blanks and parentheses, so counting starts behind the last one.
std::uint64_t read_start_time(pid_t pid) {
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid));
  const UniqueFd fd(::open(path.data(), O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::array<char, 1024> text;
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) return 0;
  text[static_cast<std::size_t>(n)] = '\0';
  const char* at = std::strrchr(text.data(), ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  return at == nullptr ? 0 : std::strtoull(at + 1, nullptr, 10);
}

}  // namespace

Result<PidOne> PidOne::make(fd_store::FdStore& store, AgentProcess& agent, UniqueFd exits,
                            UniqueFd outer, Milliseconds stop_timeout) {
  // kill(-1, …) in any other process would end the machine.
  if (::getpid() != 1) return make_error("not PID 1");
  PidOne one(store, agent);
  one.exits_ = std::move(exits);
  one.outer_ = std::move(outer);
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : kHandled) ::sigaddset(&handled, signal);
  if (::sigprocmask(SIG_SETMASK, &handled, nullptr) != 0) return errno_error("sigprocmask");
  one.signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!one.signals_) return errno_error("signalfd");
  one.timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!one.timer_) return errno_error("timerfd_create");
  one.boot_.due = now();
  one.boot_.stop_timeout = stop_timeout;
  return one;
}

void PidOne::run() {
  handle(BootEvent::due);  // the first start
  while (boot_.state != Boot::State::finished) {
    arm_timer();
    std::array<pollfd, 4> polled{{
        {signals_.get(), POLLIN, 0},
        {timer_.get(), POLLIN, 0},
        {agent_.socket(), POLLIN, 0},  // a negative number is left out
        {outer_gone_ ? -1 : outer_.get(), POLLIN, 0},
    }};
    // Only EINTR and a lack of kernel memory are possible; both pass.
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    // Requests first: a "put" that came before its sender's death counts.
    if (polled[2].revents != 0) serve_store();
    if (polled[3].revents != 0) {
      outer_gone_ = true;
      say(log::Level::warning, "init.outer_gone action=stop");
      handle(BootEvent::stop_asked);
    }
    if (polled[0].revents != 0) read_signals();
    if (polled[1].revents != 0) {
      std::uint64_t expirations = 0;
      (void)!::read(timer_.get(), &expirations, sizeof(expirations));
    }
    if (agent_.pid() == 0) drain_logs();
    if (boot_.due != kNever && now() >= boot_.due) handle(BootEvent::due);
  }
}

void PidOne::handle(BootEvent event) {
  const BootStep step = advance(boot_, event, now());
  boot_ = step.next;
  switch (step.action) {
    case BootAction::none:
      break;
    case BootAction::start_agent:
      start_agent();
      break;
    case BootAction::stop_agent:
      say(log::Level::info, "init.stopping timeout_ms=%lld",
          static_cast<long long>(boot_.stop_timeout));
      ::kill(agent_.pid(), SIGTERM);
      break;
    case BootAction::terminate_all:
      if (agent_.pid() != 0) say(log::Level::warning, "init.agent_overdue action=terminate");
      ::kill(-1, SIGTERM);
      ::kill(-1, SIGCONT);  // a stopped process acts on it only now
      reap();
      break;
    case BootAction::kill_all:
      say(log::Level::warning, "init.kill_all");
      ::kill(-1, SIGKILL);
      reap();
      break;
    case BootAction::finish:
      say(log::Level::info, "init.stopped");
      break;
  }
}

void PidOne::start_agent() {
  if (agent_.start(store_)) {
    say(log::Level::info, "agent.started pid=%d failures=%u program=%s",
        static_cast<int>(agent_.pid()), boot_.failures,
        store_.get(fd_store::kAgentSlot) >= 0 ? "stored" : "own");
    handle(BootEvent::agent_started);
  } else {
    say(log::Level::error, "agent.not_started error=\"%s\"", std::strerror(errno));
    handle(BootEvent::start_failed);
  }
}

void PidOne::read_signals() {
  bool child = false;
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    switch (info.ssi_signo) {
      case SIGCHLD:
        child = true;
        break;
      case SIGHUP:
        if (agent_.pid() != 0) ::kill(agent_.pid(), SIGHUP);
        break;
      default:  // TERM, INT, PWR
        say(log::Level::info, "init.stop_asked signal=%u", info.ssi_signo);
        handle(BootEvent::stop_asked);
        break;
    }
  }
  if (child) reap();
}

// One SIGCHLD stands for any number of children. Each is looked at while its pid is still its own,
// reported, and reaped last.
void PidOne::reap() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) continue;
      // ECHILD: every process below was our child or has become it, so nobody is left.
      handle(BootEvent::nobody_left);
      return;
    }
    const pid_t pid = info.si_pid;
    if (pid == 0) return;
    const std::uint64_t start_time = pid == agent_.pid() ? 0 : read_start_time(pid);
    int wait_status = 0;
    if (::waitpid(pid, &wait_status, WNOHANG) != pid) return;  // not possible: nobody else reaps
    if (pid == agent_.pid())
      agent_ended(wait_status);
    else
      report_exit(pid, wait_status, start_time);
  }
}

void PidOne::report_exit(pid_t pid, int wait_status, std::uint64_t start_time) {
  const fd_store::ExitReport report{pid, wait_status, start_time};
  if (::write(exits_.get(), &report, sizeof(report)) == sizeof(report)) return;
  // Full: an agent that has not read 65,536 reports will not miss one more. Said at each power of
  // two.
  ++lost_reports_;
  if ((lost_reports_ & (lost_reports_ - 1)) == 0)
    say(log::Level::warning, "init.exit_report_lost count=%llu",
        static_cast<unsigned long long>(lost_reports_));
}

void PidOne::agent_ended(int wait_status) {
  while (fd_store::serve_store_request(agent_.socket(), store_)) {
  }
  const bool done = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  const auto level = done ? log::Level::info : log::Level::error;
  if (WIFSIGNALED(wait_status))
    say(level, "agent.ended pid=%d signal=%d", static_cast<int>(agent_.pid()),
        WTERMSIG(wait_status));
  else
    say(level, "agent.ended pid=%d code=%d", static_cast<int>(agent_.pid()),
        WEXITSTATUS(wait_status));
  agent_.ended();
  // An agent that lived so long has told what it knew of dropped log lines; one that died young may
  // not have, so the next one is told again.
  if (now() - boot_.started >= kRecovered)
    for (auto& slot : store_.slots()) slot.dropped = 0;
  handle(done ? BootEvent::agent_done : BootEvent::agent_died);
}

void PidOne::serve_store() {
  for (int i = 0; i < kRequestsAtOnce; ++i)
    if (!fd_store::serve_store_request(agent_.socket(), store_)) {
      // Nothing came although there was something to see: the agent closed its end, which would
      // wake us for ever.
      if (i == 0) agent_.close_socket();
      return;
    }
}

void PidOne::drain_logs() {
  for (auto& slot : store_.slots())
    if (slot.used() && slot.name_view().starts_with("log."))
      slot.dropped += drain_full_fifo(slot.fd.get());
}

void PidOne::arm_timer() {
  Milliseconds at = boot_.due;
  const auto& slots = store_.slots();
  const bool drains = agent_.pid() == 0 && std::any_of(slots.begin(), slots.end(), [](auto& slot) {
                        return slot.used() && slot.name_view().starts_with("log.");
                      });
  if (drains) at = at == kNever ? now() + kDrainTick : std::min(at, now() + kDrainTick);
  itimerspec when{};  // zero disarms
  if (at != kNever) {
    // A moment that has passed fires at once, but 0 would disarm.
    at = std::max<Milliseconds>(at, 1);
    when.it_value.tv_sec = static_cast<time_t>(at / 1000);
    when.it_value.tv_nsec = static_cast<long>(at % 1000 * 1000000);
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace causeway::init
