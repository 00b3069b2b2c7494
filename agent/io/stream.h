// Stream is the ByteStream over a connected descriptor: unix socket, vsock, TCP.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::io {

class Stream final : public ByteStream {
 public:
  // Takes a connected, or (after connect() gave EINPROGRESS) connecting, descriptor and makes it
  // non-blocking.
  Stream(Loop& loop, UniqueFd fd, Handler* handler);
  ~Stream() override;

  void pause(Pause reason) override;
  void resume(Pause reason) override;
  void watch_hangup(bool on) override;

  // What the kernel doesn't take now is queued.
  void write(std::string_view bytes) override;
  // The same for two pieces with one system call.
  void write(std::string_view first, std::string_view second);
  std::size_t queued() const override { return queue_.size() - queue_sent_; }
  void shutdown_write() override;
  bool write_ended() const override { return fin_wanted_ || write_dead_; }
  bool read_ended() const override { return read_dead_; }
  UniqueFd release(std::string* unsent) override;
  int fd() const { return fd_.get(); }
  Loop& loop() { return loop_; }

 private:
  void on_events(unsigned events);
  void read_ready(bool after_error);
  void flush();
  void fail_write(int code);
  void send_fin();
  void update();
  bool hung_up() const;

  Loop& loop_;
  UniqueFd fd_;
  std::string queue_;
  std::size_t queue_sent_ = 0;
  bool watch_hangup_ = false;
  bool peer_fin_ = false;   // EPOLLRDHUP was seen: do not watch for it again, it is level-triggered
  bool poll_dead_ = false;  // EPOLLERR was seen: libuv has ended the watch
  bool read_dead_ = false;
  bool write_dead_ = false;
  bool fin_wanted_ = false;
  bool fin_sent_ = false;
  bool drain_wanted_ = false;
  int write_error_ = 0;         // to be told in the next turn
  bool* destroyed_ = nullptr;   // set while a callback runs
  Lifetime lifetime_;           // expires with the Stream: guards deferred work
  std::unique_ptr<Poll> poll_;  // last: stops first
};

}  // namespace causeway::io
