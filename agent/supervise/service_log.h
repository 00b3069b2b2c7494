// ServiceLog carries one service's output from its FIFO to its log file, to memory and to whoever
// follows. The daemon writes into the FIFO whether an agent lives or not. No line is lost when the
// agent is killed, and none doubled:
//
//   tee(2) the FIFO's head ─ note (offset, length) in the pending record ─ write to the file
//     ─ consume the same bytes from the FIFO ─ clear the record
//
// Killed in between, the next agent finds the record set. If the FIFO still begins with the bytes
// at that offset of the file, they are taken back from the file and come again from the FIFO. The
// record is 16 bytes of shared memory in a file beside the FIFO (a tmpfs): it outlives the agent,
// as both ends do.
//
// A disk that is full costs the bytes that came meanwhile: they are counted, and the memory and the
// followers still get them. The next data is the next try.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"
#include "supervise/log_file.h"
#include "supervise/log_lines.h"

namespace causeway::supervise {

// Keeps a follower subscribed while it lives.
struct LogSubscription {
  std::function<void(std::string_view line)> line;
};

class ServiceLog {
 public:
  struct Paths {
    std::string fifo;     // RUN/log/<service>.fifo
    std::string pending;  // RUN/log/<service>.pending
    std::string file;     // DATA/log/<service>.log
  };

  // `inherited`: the FIFO as an earlier agent opened it, or empty. An error leaves the service
  // without a FIFO, so it can't be started.
  static Result<std::unique_ptr<ServiceLog>> open(io::Loop& loop, Paths paths, LogLimits limits,
                                                  UniqueFd inherited);
  ~ServiceLog();

  // For the child's output, and for init's store.
  const std::string& fifo_path() const { return paths_.fifo; }
  int fifo() const { return fifo_.get(); }

  void set_limits(LogLimits limits) { file_.set_limits(limits); }

  // A line of our own, between the service's.
  void note(std::string_view line);
  // All that is in the FIFO now, and an unfinished line: the service has ended.
  void service_ended();

  std::vector<std::string> last(std::size_t count) const { return lines_.last(count); }
  std::shared_ptr<LogSubscription> follow(std::function<void(std::string_view line)> line);

  // What is wrong with writing the file now ("" when nothing is), and what that cost so far.
  const std::string& error() const { return error_; }
  std::uint64_t unwritten_bytes() const { return unwritten_; }

 private:
  struct Pending;  // the shared record

  ServiceLog(io::Loop& loop, Paths paths, LogLimits limits, UniqueFd fifo);
  Status open_pending();
  std::string_view peek();  // the FIFO's head, still in it
  void recover();
  bool move_block();  // false: the FIFO is empty
  void deliver(std::string_view bytes);
  void write_file(std::string_view bytes);
  LogLines::Line teller();

  io::Loop& loop_;
  Paths paths_;
  UniqueFd fifo_;
  UniqueFd scratch_in_;
  UniqueFd scratch_out_;
  Pending* pending_ = nullptr;
  LogFile file_;
  LogLines lines_;
  std::vector<std::weak_ptr<LogSubscription>> followers_;
  std::string error_;
  std::uint64_t unwritten_ = 0;
  io::Poll poll_;
};

}  // namespace causeway::supervise
