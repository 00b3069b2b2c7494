#include "supervise/command_sequence.h"

#include <utility>

#include "base/text.h"

namespace causeway::supervise {
namespace {

// "engine-config" for ["/proc/self/exe", "engine-config", …], "modprobe" for ["/sbin/modprobe", …].
std::string command_name(const Command& argv) {
  if (argv[0] == "/proc/self/exe" && argv.size() > 1) return argv[1];
  return argv[0].substr(argv[0].rfind('/') + 1);
}

}  // namespace

CommandSequence::CommandSequence(io::Loop& loop, process::Reaper& reaper,
                                 std::vector<Command> commands,
                                 std::vector<std::string> environment, std::uint64_t timeout_ms,
                                 Done done)
    : loop_(loop),
      reaper_(reaper),
      commands_(std::move(commands)),
      environment_(std::move(environment)),
      timeout_ms_(timeout_ms),
      done_(std::move(done)) {
  if (!commands_.empty()) {
    next();
    return;
  }
  loop_.defer(lifetime_.guard([this] { next(); }));
}

void CommandSequence::next() {
  const auto finish = [this](Status status) {
    const auto done = std::move(done_);
    auto notes = std::move(notes_);
    done(std::move(status), std::move(notes));  // last: it may destroy us
  };
  if (at_ == commands_.size()) return finish(Ok{});
  const Command& argv = commands_[at_];
  running_ = std::make_unique<process::RunOnce>(
      loop_, reaper_, argv, environment_, timeout_ms_,
      [this, finish, name = command_name(argv)](const process::RunOnce::Outcome& outcome) {
        if (!outcome.success()) return finish(make_error(outcome.text(name)));
        for (const auto line : text::split(outcome.output, '\n'))
          if (!text::trim(line).empty()) notes_.push_back(text::printable(text::trim(line)));
        ++at_;
        next();
      });
}

}  // namespace causeway::supervise
