// Relay is one client of a pipe: its bytes go over one stream of the link and back, unseen.
//
//   waiting ── link up ──▶ relaying ── both ends told ──▶ over
//      │  no link, or it takes too long            ▲
//      └──────────▶ refusing ── 503 written ───────┘
//
//   client                                   stream of the link
//   zero-byte message  ──▶ FIN               FIN             ──▶ zero-byte message
//   handle closed      ──▶ FIN and RST       FIN and RST     ──▶ all is written, then CloseHandle
//                                            RST, link lost  ──▶ DisconnectNamedPipe: an error
//
// dockerd ends attach and exec by FIN alone and leaves the rest to its garbage collector. So behind
// a FIN a client that says nothing for a while (kHalfOpenMs) is closed, as if the engine had.
//
// The last two differ on purpose: Node's clients don't see a zero-byte message and wait for the
// handle's end, and a client whose engine was lost must not take what it has for all.
//
// Bounds: to the client, the stream's window; to the agent, kToAgent and one read more. Neither
// side is read while the other one doesn't take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "link/link_client.h"
#include "pipe/named_pipe.h"
#include "pipe/unavailable.h"
#include "windows/completion_port.h"

namespace causeway::shim::pipe {

class Relay {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual bool link_is_up() const = 0;
    // A stream for the client; null: not now.
    virtual std::unique_ptr<link::LinkChannel> open_engine() = 0;
    // Why there is none, in words for the client; and whether one may come soon.
    virtual std::string why_no_link() const = 0;
    virtual bool link_is_coming() const = 0;
    virtual void refused() = 0;
    // The relay has nothing more to do; it is to be destroyed, but not within this call.
    virtual void relay_over(Relay& relay) = 0;
  };

  // `owner` outlives it.
  Relay(CompletionPort& port, std::shared_ptr<PipeClient> client, std::uint64_t wait_ms,
        Owner& owner);
  ~Relay();  // both sides are broken off, if they still are there
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // The link came, or went, or won't come.
  void link_changed();

 private:
  enum class State { waiting, relaying, refusing, over };
  struct ClientSide : PipeClient::Handler {
    explicit ClientSide(Relay& owner) : relay(owner) {}
    void on_data(std::string_view bytes) override { relay.client_data(bytes); }
    void on_eof() override { relay.client_eof(); }
    void on_written(std::size_t bytes) override { relay.client_took(bytes); }
    void on_gone() override { relay.client_gone(); }
    Relay& relay;
  };
  struct AgentSide : link::LinkChannel::Handler {
    explicit AgentSide(Relay& owner) : relay(owner) {}
    void on_data(std::string_view bytes) override { relay.client_->write(bytes); }
    void on_eof() override { relay.stream_finished(); }
    void on_drained() override { relay.client_->resume(); }
    void on_closed() override { relay.stream_closed(); }
    void on_aborted(const std::string&) override { relay.stream_aborted(); }
    Relay& relay;
  };

  void client_data(std::string_view bytes);
  void client_eof();
  void client_took(std::size_t bytes);
  void client_gone();
  void stream_finished();
  void close_half_open();
  void stream_closed();
  void stream_aborted();
  void connect();
  void refuse();
  void answer();
  void end();

  Owner& owner_;
  State state_ = State::waiting;
  ClientSide client_side_;
  AgentSide agent_side_;
  std::string early_;  // of the client, while there is no stream
  bool early_eof_ = false;
  bool head_seen_ = false;
  bool answered_ = false;
  bool half_open_ = false;  // the agent has finished, the client not
  RequestHeadEnd head_;
  Timer timer_;
  Timer quiet_;                                // after the 503, or behind a FIN
  std::shared_ptr<PipeClient> client_;         // null: over
  std::unique_ptr<link::LinkChannel> stream_;  // while relaying
};

}  // namespace causeway::shim::pipe
