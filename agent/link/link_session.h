// LinkSession is one connection of the Windows side: a transport, the hello, then yamux.
//
//   hello ── nonce right ──▶ open ── transport ends, silence, violation ──▶ over
//     └── wrong, too old, garbage, too slow ──▶ refusing (the text is on its way) ──▶ over
//
// All that one turn of the loop has to say goes out at its end, in as few sends as possible. A
// transport that takes nothing stops that; what waits is bounded by who writes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "link/channel_stream.h"
#include "wire/hello.h"
#include "wire/ports.h"
#include "wire/yamux.h"

namespace causeway::link {

class LinkSession : private io::ByteStream::Handler,
                    private wire::Yamux::Handler,
                    private ChannelStream::Owner {
 public:
  using Id = wire::Yamux::StreamId;

  class Owner {
   public:
    virtual ~Owner() = default;
    // The nonce was right.
    virtual void opened(LinkSession& session) = 0;
    // Windows opened a channel. What is not served is given back, and answered with RST.
    virtual std::unique_ptr<io::ByteStream> serve(wire::Channel channel,
                                                  std::unique_ptr<io::ByteStream> stream) = 0;
    // It is over, and to be destroyed, but not within this call.
    virtual void over(LinkSession& session, const std::string& reason) = 0;
    // The peer is sent away; over() follows when it has been told.
    virtual void refused(LinkSession& session, const std::string& reason) = 0;
    // Where output is put together; at least kOutputBytes.
    virtual std::span<char> output() = 0;
  };
  static constexpr std::size_t kOutputBytes = 4 * (wire::kFrameHeader + wire::kFrameLimit);

  struct Options {
    wire::Nonce nonce{};
    std::uint64_t hello_ms = wire::kHelloTimeoutMs;
    std::uint64_t refusal_ms = 2'000;  // for the peer to take the refusal
    wire::Yamux::Limits limits;
  };

  // `owner` and `options` outlive it. `transport` is what the listener is called. `may_be_silent`:
  // the time for the hello begins with its first byte.
  LinkSession(io::Loop& loop, UniqueFd fd, std::string transport, bool may_be_silent,
              const Options& options, Owner& owner);
  ~LinkSession() override;

  bool is_open() const { return state_ == State::open; }
  const std::string& transport() const { return transport_; }
  std::uint64_t since_ms() const { return since_ms_; }
  std::size_t streams() const { return yamux_.streams(); }
  // What Windows did that it has no reason to: of each the first is logged, all are counted.
  struct Oddities {
    std::uint64_t unknown_channels = 0;
    std::uint64_t refused_streams = 0;  // there were too many, or the service was not there
    std::uint64_t farewells = 0;        // with an error
    bool any() const { return unknown_channels + refused_streams + farewells > 0; }
  };
  const Oddities& oddities() const { return oddities_; }
  // The owner was told so.
  bool sent_away() const { return sent_away_; }

  // A stream to Windows; null: it can't be opened.
  std::unique_ptr<io::ByteStream> open(wire::Channel channel);

  // To be called at even intervals: a peer that has been silent for one is asked, one that has been
  // for `kSilentTicks` is given up.
  void tick();
  static constexpr int kSilentTicks = 4;

  // Another one has taken its place, or the agent ends.
  void drop(const std::string& reason);

 private:
  enum class State { hello, refusing, open, over };

  // the transport
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_read_error(const Error& error) override;
  void on_write_error(const Error& error) override;

  // yamux
  void on_open(Id id) override;
  void on_data(Id id, std::string_view bytes) override;
  void on_eof(Id id) override;
  void on_end(Id id, wire::Yamux::End how) override;
  void on_drained(Id id) override;
  void on_pong(std::uint32_t) override {}
  void on_go_away(wire::Yamux::GoAway reason) override;

  // the streams
  io::Loop& loop() override { return loop_; }
  wire::Yamux& yamux() override { return yamux_; }
  void flush_soon() override;
  void destroyed(Id id) override { streams_.erase(id); }

  void await_hello();
  std::string_view greet(std::string_view bytes);
  void refuse(const std::string& reason);
  void receive(std::string_view bytes);
  void dispatch(Id id, std::string_view bytes);
  void flush();
  void end(const std::string& reason);
  void lose_streams();

  io::Loop& loop_;
  Owner& owner_;
  const Options& options_;
  const std::string transport_;
  bool silent_;  // may be, and has been so far
  State state_ = State::hello;
  std::uint64_t since_ms_;
  bool flushing_ = false;  // will be, in this turn
  bool heard_ = false;     // since the last tick
  int silent_ticks_ = 0;
  Oddities oddities_;
  bool sent_away_ = false;
  wire::HelloReader hello_;
  std::unordered_map<Id, ChannelStream*> streams_;  // null: the channel isn't known yet
  Lifetime lifetime_;
  wire::Yamux yamux_;
  io::Timer deadline_;  // hello, refusing
  io::Stream stream_;   // last: stops first
};

}  // namespace causeway::link
