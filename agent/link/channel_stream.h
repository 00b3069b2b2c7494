// ChannelStream is one yamux stream of a link as a ByteStream.
//
// What the closing rules of wire/yamux.h become:
//   the peer's FIN              on_eof
//   the peer's RST behind FIN   hang-up: what has arrived is delivered, then it is as a socket
//                               whose peer has closed (see watch_hangup)
//   the peer's RST alone        on_read_error with ECONNABORTED at once; the link's end, too
//   destroyed, all was sent     FIN and RST: closed
//   destroyed, bytes queued     RST alone: what the peer has is not all
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/lifetime.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "wire/yamux.h"

namespace causeway::link {

class ChannelStream final : public io::ByteStream {
 public:
  using Id = wire::Yamux::StreamId;

  // The session that carries it.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual io::Loop& loop() = 0;
    virtual wire::Yamux& yamux() = 0;
    virtual void flush_soon() = 0;  // there is output: in this turn
    virtual void destroyed(Id id) = 0;
  };

  ChannelStream(Owner& owner, Id id);
  ~ChannelStream() override;

  void pause(Pause reason) override;
  void resume(Pause reason) override;
  void watch_hangup(bool on) override;
  void write(std::string_view bytes) override;
  std::size_t queued() const override;
  void shutdown_write() override;
  bool write_ended() const override { return fin_ || write_dead_; }
  bool read_ended() const override { return read_dead_; }
  bool closes_in_order() const override { return true; }
  UniqueFd release(std::string*) override { return {}; }

  // Of the session. None is called from within a call of the owner.
  void received(std::string_view bytes);
  void peer_finished();
  void peer_ended(wire::Yamux::End how);  // the number means nothing any more
  void link_lost();
  void drained();
  // Destroying it will say RST alone.
  void abort();

 private:
  enum class Peer { writes, finished, closed, aborted };
  void deliver();
  void deliver_soon();
  void fail_write_soon();
  std::size_t held() const { return held_.size() - held_taken_; }

  Owner* owner_;  // none: the link is gone
  Id id_;         // 0: the stream is gone
  Peer peer_ = Peer::writes;
  std::string held_;  // arrived while paused; at most the stream's window
  std::size_t held_taken_ = 0;
  bool watch_hangup_ = false;
  bool read_dead_ = false;  // its end was told
  bool write_dead_ = false;
  bool fin_ = false;
  bool end_told_ = false;      // by on_read_error
  bool* destroyed_ = nullptr;  // set while a callback runs
  io::Loop& loop_;
  Lifetime lifetime_;  // expires with the stream: guards deferred work
};

}  // namespace causeway::link
