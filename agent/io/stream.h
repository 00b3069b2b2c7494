// Stream is one connected byte stream (unix socket, vsock, TCP): a descriptor, a bounded way in and
// a queue out.
//
//   peer ── readable ──▶ Handler::on_data … on_eof          paused() by reason bits: two reasons
//   cannot cancel each other peer ◀── write() ─── queue (unsent bytes only) ── shutdown_write()
//   sends FIN behind the queue
//
// No callback is called from inside a call of the owner; a callback may destroy the Stream.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "io/poll.h"

namespace causeway::io {

class Stream {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // `bytes` is valid during the call only.
    virtual void on_data(std::string_view bytes) = 0;
    // The peer ended its writing and everything before was delivered. Writing to it may still work.
    virtual void on_eof() = 0;
    // The queue, which had been non-empty after a write(), is empty (or FIN was sent after it).
    virtual void on_drained() = 0;
    // Reading failed, or with watch_hangup() the peer closed both directions. Nothing more is
    // delivered.
    virtual void on_read_error(const Error& error) = 0;
    // Writing failed: the queue is dropped, later write() calls are ignored. Reading goes on.
    virtual void on_write_error(const Error& error) = 0;
  };

  // Takes a connected, or (after connect() gave EINPROGRESS) connecting, descriptor and makes it
  // non-blocking. `handler` is not owned and must outlive the Stream or be replaced. Reading starts
  // with resume() of the reason `not_started`.
  Stream(Loop& loop, UniqueFd fd, Handler* handler);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  enum Pause : unsigned { not_started = 1, backlog = 2, exchange = 4, engine_state = 8, user = 16 };
  void pause(Pause reason);
  void resume(Pause reason);
  bool paused() const { return pauses_ != 0; }

  // Replaces who is told, as an upgrade does.
  void set_handler(Handler* handler) { handler_ = handler; }

  // With this on, a peer that has closed both directions is reported by on_read_error at once, even
  // while reading is paused and bytes are unread. For clients: their disconnect must cancel the
  // engine's side.
  void watch_hangup(bool on);

  // Sends what the kernel takes now and queues the rest.
  void write(std::string_view bytes);
  // The same for two pieces with one system call.
  void write(std::string_view first, std::string_view second);
  std::size_t queued() const {
    return queue_.size() - queue_sent_;
  }  // bytes not yet taken by the kernel
  // FIN behind what is queued.
  void shutdown_write();
  bool write_ended() const { return fin_wanted_ || write_dead_; }
  bool read_ended() const { return read_dead_; }

  // The descriptor, with the queue's rest in `unsent`; the Stream is dead after it. For a switch to
  // Splice.
  UniqueFd release(std::string* unsent);
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
  Handler* handler_;
  UniqueFd fd_;
  std::string queue_;
  std::size_t queue_sent_ = 0;
  unsigned pauses_ = not_started;
  bool watch_hangup_ = false;
  bool peer_fin_ = false;   // EPOLLRDHUP was seen: do not watch for it again, it is level-triggered
  bool poll_dead_ = false;  // EPOLLERR was seen: libuv has ended the watch
  bool read_dead_ = false;
  bool write_dead_ = false;
  bool fin_wanted_ = false;
  bool fin_sent_ = false;
  bool drain_wanted_ = false;
  int write_error_ = 0;            // to be told in the next turn
  bool* destroyed_ = nullptr;      // set while a callback runs
  std::shared_ptr<int> lifetime_;  // expires with the Stream: guards deferred work
  std::unique_ptr<Poll> poll_;     // last: stops first
};

}  // namespace causeway::io
