// Splice relays two connected sockets to each other, bytes as they are, until both directions have
// ended.
//
//   a ── read ──▶ pipe (only while bytes are in flight) ── write ──▶ b     and the same from b to a
//
// A direction ends when its FIN was *sent* behind its last byte (an end at "both EOFs were read"
// loses what is still queued), or when its receiver is gone: then the sender is told by SHUT_RD, so
// that its next write fails. Both ended: `ended` is called, once, and may destroy the Splice.
// An idle Splice holds no buffer and no pipe.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::io {

// Empty pipes for use by any Splice of a loop. Nearly always one is enough: it is given back within
// the same callback unless the receiver is slow.
class PipePool {
 public:
  struct Pipe {
    UniqueFd out;  // read end
    UniqueFd in;   // write end
    explicit operator bool() const { return static_cast<bool>(out); }
  };

  PipePool();
  Pipe take();           // an empty Pipe value when there are no descriptors left
  void give(Pipe pipe);  // must hold no bytes

  // Bytes in all pipes, which receivers have not taken yet.
  void add_held(std::size_t bytes) { held_ += bytes; }
  void take_held(std::size_t bytes) { held_ -= bytes; }
  // How much a pipe may be filled with now. Many receivers that take nothing have little each, so
  // that they can't fill the kernel's memory together.
  std::size_t most() const;

 private:
  std::vector<Pipe> idle_;
  std::size_t held_ = 0;
};

class Splice {
 public:
  struct End {
    UniqueFd fd;          // connected and non-blocking
    std::string pending;  // to be sent to this end before anything from the other
  };

  // `pool` must outlive the Splice. SIGPIPE is ignored from the first PipePool on: splice(2) has no
  // MSG_NOSIGNAL.
  Splice(Loop& loop, PipePool& pool, End a, End b, std::function<void()> ended);
  Splice(const Splice&) = delete;
  Splice& operator=(const Splice&) = delete;
  ~Splice();

 private:
  // From ends_[i] to ends_[1 - i].
  struct Direction {
    std::string pending;  // goes first
    std::size_t pending_sent = 0;
    PipePool::Pipe pipe;
    std::size_t in_pipe = 0;
    bool eof = false;       // nothing more will be read
    bool finished = false;  // FIN was sent, or the receiver is gone
    bool blocked() const { return pending_sent < pending.size() || in_pipe > 0; }
  };
  enum class Step { more, wait, receiver_gone };

  void on_events(std::size_t end, unsigned events);
  void pump(std::size_t from);
  Step send_pending(std::size_t from);
  Step send_pipe(std::size_t from);
  Step read_some(std::size_t from, std::size_t* got);
  Step copy_some(std::size_t from, std::size_t* got);
  void finish(std::size_t from, bool receiver_gone);
  void return_pipe(Direction& direction);
  bool hung_up(std::size_t end) const;
  void update();

  Loop& loop_;
  PipePool& pool_;
  std::function<void()> ended_;
  std::array<UniqueFd, 2> ends_;
  std::array<Direction, 2> directions_;
  std::array<bool, 2> poll_dead_{};  // EPOLLERR: libuv watches no more; the peer is gone
  std::array<Poll, 2> polls_;        // last: stops first
};

}  // namespace causeway::io
