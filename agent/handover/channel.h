// Channel carries messages over one connected SOCK_SEQPACKET socket: a bounded queue out, checked
// messages in. Both sides of the hand-over use it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/message.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::handover {

class Channel {
 public:
  using OnMessage = std::function<void(Message)>;
  // Why it ended: the peer closed (an error with code 0 and this text: "the other side closed"), a
  // system call failed, or one of the two broke the protocol.
  using OnClosed = std::function<void(Error)>;

  // Messages that wait for the peer to read. A share has some dozen mounts; a helper that reads
  // nothing while this many come is stuck.
  static constexpr std::size_t kMaxQueued = 1024;
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{8} * 1024 * 1024;

  // A message of a type that isn't known is ignored (message.h, Versions).
  //
  // Takes the connected socket and makes it non-blocking. No callback comes from within a call of
  // the owner; either may destroy the Channel. `closed` is called once, after which nothing comes.
  Channel(io::Loop& loop, UniqueFd connected, OnMessage message, OnClosed closed);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Sends or queues. A message that can't be encoded, lacks its descriptor, or finds the queue full
  // ends the channel (told by OnClosed). Ignored when ended.
  void send(Message message);

  // Ends the channel when everything queued is sent (a Refused must arrive); OnClosed is told.
  void close_when_sent();

  std::size_t queued() const { return queue_.size(); }
  int fd() const { return fd_.get(); }

 private:
  struct Outgoing {
    std::string text;
    UniqueFd fd;
  };
  enum class Receive { message, ignored, nothing, ended };

  void on_events(unsigned events);
  void flush();
  Receive receive_one(Message& message);
  void end(Error error);
  void update();

  io::Loop& loop_;
  UniqueFd fd_;
  std::shared_ptr<OnMessage> message_;  // shared: it may run while it destroys us
  OnClosed closed_;
  std::deque<Outgoing> queue_;
  std::size_t queued_bytes_ = 0;
  bool closing_ = false;     // close_when_sent()
  bool write_dead_ = false;  // the peer is gone; what it had sent is still read
  bool ended_ = false;
  Lifetime lifetime_;               // guards deferred calls, and tells when a callback destroyed us
  std::unique_ptr<io::Poll> poll_;  // last: stops first
};

}  // namespace causeway::handover
