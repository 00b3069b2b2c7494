// LinkClient is the shim's end of one link: the hello, then yamux, over one transport.
//
//   greeting ── the agent knows the nonce ──▶ up ── transport ended, silence, violation ──▶ down
//       └── refused, another nonce, garbage, too slow ──▶ down
//   up ── farewell() ──▶ leaving ── it is out ──▶ down
//
// What one turn of the loop has to say goes out at its end, in as few sends as possible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/lifetime.h"
#include "link/transport.h"
#include "windows/completion_port.h"
#include "wire/hello.h"
#include "wire/ports.h"
#include "wire/yamux.h"

namespace causeway::shim::link {

class LinkClient;

// One stream of a link, for who uses it. Destroyed while it is open: aborted.
class LinkChannel {
 public:
  // None is called from within a call of the owner; each may destroy the LinkChannel. After
  // on_closed or on_aborted it is dead: its calls do nothing.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_data(std::string_view bytes) = 0;  // to be given back with consumed()
    virtual void on_eof() = 0;
    virtual void on_drained() = 0;  // queued() is 0 again
    virtual void on_closed() = 0;   // all was said, and nothing more is heard
    virtual void on_aborted(const std::string& reason) = 0;
  };

  ~LinkChannel();
  LinkChannel(const LinkChannel&) = delete;
  LinkChannel& operator=(const LinkChannel&) = delete;
  void set_handler(Handler* handler) { handler_ = handler; }

  void write(std::string_view bytes);
  void end_write();
  // Sends what is queued, then FIN and RST. An agent that doesn't take it is not waited for for
  // ever.
  void close();
  void reset();
  std::size_t queued() const;
  void consumed(std::size_t bytes);

 private:
  friend class LinkClient;
  LinkChannel(LinkClient& link, wire::Yamux::StreamId id) : link_(&link), id_(id) {}

  LinkClient* link_;  // null: dead
  wire::Yamux::StreamId id_;
  Handler* handler_ = nullptr;
};

class LinkClient : private Transport::Handler, private wire::Yamux::Handler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_up() = 0;
    // Once, and the last; it may destroy the LinkClient.
    virtual void on_down(const std::string& reason) = 0;
    // The agent opened a stream. Its data follow from the next turn on.
    virtual void on_opened(wire::Channel channel, std::unique_ptr<LinkChannel> stream) = 0;
  };

  // `nonce` is the agent's. The time for the hello begins now. `owner` outlives it.
  LinkClient(CompletionPort& port, std::unique_ptr<Transport> transport, const wire::Nonce& nonce,
             Owner& owner);
  ~LinkClient() override;  // its channels are told

  bool up() const { return state_ == State::up; }
  std::size_t streams() const { return yamux_.streams(); }
  // Null: there can't be one now. No round trip: what is written goes with its opening.
  std::unique_ptr<LinkChannel> open(wire::Channel channel);
  // Whether the agent is still there: if not, on_down within `ms`.
  void check(std::uint64_t ms);
  // When it is up: ends the streams, and says farewell. on_down when the transport has that; what
  // the agent does with it is not waited for.
  void farewell();

 private:
  friend class LinkChannel;
  using Id = wire::Yamux::StreamId;
  enum class State { greeting, up, leaving, down };

  // the transport
  void on_data(std::string_view bytes) override;
  void on_sent() override;
  void on_end(const std::string& reason) override;
  // yamux
  void on_open(Id id) override;
  void on_data(Id id, std::string_view bytes) override;
  void on_eof(Id id) override;
  void on_end(Id id, wire::Yamux::End how) override;
  void on_drained(Id id) override;
  void on_pong(std::uint32_t) override {}
  void on_go_away(wire::Yamux::GoAway reason) override;

  std::string greet(std::string_view& bytes);
  void select(Id id, std::string_view bytes);
  LinkChannel* find(Id id) const;
  void flush();
  void flush_soon();
  void tick();
  void down(const std::string& reason);
  void end_channels(const std::string& reason);

  CompletionPort& port_;
  Owner& owner_;
  const wire::Nonce agent_nonce_;
  wire::Nonce own_nonce_{};
  State state_ = State::greeting;
  std::string unsent_hello_;
  bool heard_ = false;  // since the last tick
  int silent_ticks_ = 0;
  bool flushing_ = false;  // will be, in this turn
  std::string farewell_of_agent_;
  std::unordered_map<Id, LinkChannel*> channels_;  // null: its first byte hasn't come
  wire::HelloReader hello_;
  wire::Yamux yamux_;
  Timer timer_;  // the hello's deadline, then ticks
  Timer check_;
  std::unique_ptr<Transport> transport_;
  Lifetime lifetime_;  // the last: ends first
};

}  // namespace causeway::shim::link
