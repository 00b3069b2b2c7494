// CommandSequence runs a service's commands one after the other and stops at the first that fails.
// What they print are notes for `status`, line by line.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "io/loop.h"
#include "process/reaper.h"
#include "process/run_once.h"
#include "supervise/service_spec.h"

namespace causeway::supervise {

class CommandSequence {
 public:
  using Done = std::function<void(Status, std::vector<std::string> notes)>;

  // `done` is called once, never from inside the constructor; it may destroy the sequence.
  // Destroyed earlier, what runs is killed.
  CommandSequence(io::Loop& loop, process::Reaper& reaper, std::vector<Command> commands,
                  std::vector<std::string> environment, std::uint64_t timeout_ms, Done done);

 private:
  void next();

  io::Loop& loop_;
  process::Reaper& reaper_;
  std::vector<Command> commands_;
  std::vector<std::string> environment_;
  std::uint64_t timeout_ms_;  // of each command
  Done done_;
  std::size_t at_ = 0;
  std::vector<std::string> notes_;
  Lifetime lifetime_;
  std::unique_ptr<process::RunOnce> running_;
};

}  // namespace causeway::supervise
