#include "process/run_once.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/text.h"

namespace causeway::process {

std::string RunOnce::Outcome::text(const std::string& command) const {
  if (!failure.empty()) return failure;
  std::string out = command + " " + (timed_out ? "did not end in time" : exit.text());
  const auto all = text::trim(output);
  const auto last = all.substr(all.find_last_of('\n') + 1);
  if (!last.empty()) out += ": " + text::printable(last);
  return out;
}

RunOnce::RunOnce(io::Loop& loop, Reaper& reaper, std::vector<std::string> argv,
                 std::vector<std::string> environment, std::uint64_t timeout_ms,
                 std::function<void(const Outcome&)> done)
    : loop_(loop), reaper_(reaper), done_(std::move(done)), deadline_(loop) {
  ChildSpec spec;
  spec.argv = std::move(argv);
  spec.environment = std::move(environment);
  spec.dies_with_parent = true;
  std::array<int, 2> ends{};
  const bool piped = ::pipe2(ends.data(), O_CLOEXEC) == 0;
  const UniqueFd write_end(piped ? ends[1] : -1);
  output_.reset(piped ? ends[0] : -1);
  spec.output_fd = write_end.get();
  auto child = piped ? start_child(spec) : Result<Child>(errno_error("pipe"));
  if (!child) {
    outcome_.failure = "start " + spec.argv[0] + ": " + child.error().message;
    loop_.defer(lifetime_.guard([this] { finish(Exit::unknown()); }));
    return;
  }
  child_ = std::move(*child);
  running_ = true;
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);  // our end only: the child's description is another
  output_poll_ =
      std::make_unique<io::Poll>(loop_, output_.get(), [this](unsigned) { read_output(); });
  output_poll_->watch(io::Poll::readable);
  reaper_.watch(child_, [this](const Exit& exit) { finish(exit); });
  deadline_.start(timeout_ms, [this] {
    outcome_.timed_out = true;
    kill_all();  // its end is the next event
  });
}

RunOnce::~RunOnce() {
  if (!running_) return;
  kill_all();
  reaper_.forget(child_.pid);
}

void RunOnce::kill_all() {
  // The group is the child's own (it called setsid), and its number is taken until we have reaped.
  // A child that did not get that far has no group yet.
  ::kill(-child_.pid, SIGKILL);
  (void)send_signal(child_.pidfd.get(), SIGKILL);
}

void RunOnce::read_output() {
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t n = ::read(output_.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) output_poll_.reset();
      return;
    }
    outcome_.output.append(block.data(), static_cast<std::size_t>(n));
    if (outcome_.output.size() > kOutputBytes)
      outcome_.output.erase(0, outcome_.output.size() - kOutputBytes);
  }
}

void RunOnce::finish(const Exit& exit) {
  outcome_.exit = exit;
  if (running_) {
    // What it started and left behind must not hold the pipe; what it printed is in there.
    kill_all();
    if (output_poll_) read_output();
    if (const auto report = read_report(child_.report.get()); !report.failure.empty())
      outcome_.failure = report.failure;
  }
  running_ = false;
  output_poll_.reset();
  deadline_.stop();
  const auto done = std::move(done_);
  const Outcome outcome = std::move(outcome_);
  done(outcome);  // last: it may destroy us
}

}  // namespace causeway::process
