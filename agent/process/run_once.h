// RunOnce runs a short command (a step before a service's start, a readiness probe) and hands over
// how it ended and what it printed. It is killed, with all that stays in its session, at its
// deadline, when the RunOnce is destroyed, and when the agent dies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "io/loop.h"
#include "io/poll.h"
#include "io/timer.h"
#include "process/child_exec.h"
#include "process/reaper.h"

namespace causeway::process {

class RunOnce {
 public:
  struct Outcome {
    Exit exit;
    bool timed_out = false;
    std::string failure;  // why it could not be started at all
    std::string output;   // standard output and error, the last kOutputBytes
    bool success() const { return failure.empty() && !timed_out && exit.success(); }
    // "engine-config exited with code 1: last line of its output"
    std::string text(const std::string& command) const;
  };
  // A page of messages; bounds a runaway.
  static constexpr std::size_t kOutputBytes = std::size_t{16} * 1024;

  // `done` is called once, never from inside the constructor; it may destroy the RunOnce.
  RunOnce(io::Loop& loop, Reaper& reaper, std::vector<std::string> argv,
          std::vector<std::string> environment, std::uint64_t timeout_ms,
          std::function<void(const Outcome&)> done);
  ~RunOnce();
  RunOnce(const RunOnce&) = delete;
  RunOnce& operator=(const RunOnce&) = delete;

 private:
  void read_output();
  void kill_all();
  void finish(const Exit& exit);

  io::Loop& loop_;
  Reaper& reaper_;
  std::function<void(const Outcome&)> done_;
  Outcome outcome_;
  Child child_;
  bool running_ = false;
  UniqueFd output_;
  std::unique_ptr<io::Poll> output_poll_;
  io::Timer deadline_;
  Lifetime lifetime_;
};

}  // namespace causeway::process
