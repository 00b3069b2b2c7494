// ByteStream is one connected byte stream, whatever carries it: a descriptor (Stream), or a channel
// of a link. A bounded way in and a queue out.
//
//   peer ── bytes ──▶ Handler::on_data … on_eof     paused() by reason bits: two reasons cannot
//                                                   cancel each other
//   peer ◀── write() ─── queue (unsent bytes only) ── shutdown_write() sends FIN behind the queue
//
// No callback is called from inside a call of the owner; a callback may destroy the ByteStream.
// Destroying it closes the connection; what is queued then is lost, and the peer can tell where the
// transport can say so.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::io {

class ByteStream {
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
    // delivered. ECONNABORTED: the peer wants all that it sent to be forgotten.
    virtual void on_read_error(const Error& error) = 0;
    // Writing failed: the queue is dropped, later write() calls are ignored. Reading goes on.
    virtual void on_write_error(const Error& error) = 0;
  };

  virtual ~ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Why it is not read. Reading starts with resume() of the reason `not_started`.
  enum Pause : unsigned {
    not_started = 1,
    backlog = 2,   // what was read is not taken as fast as it comes
    ahead = 4,     // the peer has sent enough beyond what it is the turn of
    waiting = 8,   // nothing can be done with more before something else has happened
    finished = 16  // nothing more is wanted
  };
  virtual void pause(Pause reason) = 0;
  virtual void resume(Pause reason) = 0;
  // Whatever the reasons were: for a new owner.
  void resume_all() {
    for (const Pause reason : {not_started, backlog, ahead, waiting, finished}) resume(reason);
  }
  bool paused() const { return pauses_ != 0; }

  // Who is told: not owned, outlives the stream or is replaced, as an upgrade does.
  void set_handler(Handler* handler) { handler_ = handler; }

  // With this on, a peer that has closed both directions is reported by on_read_error at once, even
  // while reading is paused and bytes are unread. For clients: their disconnect must cancel the
  // engine's side.
  virtual void watch_hangup(bool on) = 0;

  // Sends what can be sent now or in this turn, and queues the rest.
  virtual void write(std::string_view bytes) = 0;
  virtual std::size_t queued() const = 0;  // bytes not yet taken by the transport
  // FIN behind what is queued.
  virtual void shutdown_write() = 0;
  virtual bool write_ended() const = 0;
  virtual bool read_ended() const = 0;

  // Whether the peer gets all that was taken when the stream is destroyed, even when it still
  // sends. A socket that is closed with bytes unread resets its peer, which may lose what it has
  // not read.
  virtual bool closes_in_order() const { return false; }

  // The descriptor, with the queue's rest in `unsent`; the stream is dead after it. For a switch to
  // Splice. Without a descriptor of its own the stream stays as it is.
  virtual UniqueFd release(std::string* unsent) = 0;

 protected:
  explicit ByteStream(Handler* handler) : handler_(handler) {}

  Handler* handler_;
  unsigned pauses_ = not_started;
};

}  // namespace causeway::io
