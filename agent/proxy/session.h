// Session is one accepted connection: a client, the engine connection that serves it (one to one,
// kept while the client stays), and the exchange between them. It moves bytes and applies the
// limits.
//
//   reading ── head complete ──▶ waiting ── engine ready ──▶ relaying ── both complete ──▶ reading
//      │                            │  ▲                      │    └── switched: becomes a Splice
//      │                            │  └ not any more ─┐      │
//      │        an editor wants it: ├▶ collecting ─▶ asking ─▶│
//      └── refused ──▶ answering ◀──┴── down, refused, lost ◀─┘
//                         └── body discarded, answer sent ──▶ reading, or closing ──▶ gone
//
// reading    between requests, or within a head
// waiting    the request is known, the engine is not ready; the client is not read
// collecting the body of a request that may be edited is read to its end; the engine knows nothing
// asking     the editors are asked; the client is not read
// relaying   bound to the engine's connection; bytes pass in both directions, verbatim unless an
//            editor changes them (EditedExchange)
// answering  the answer is ours; the rest of the request is read and dropped first
// closing    the last bytes go out, what comes in is dropped, so that no reset destroys them
// gone       to be destroyed in this turn
//
// A client that hangs up ends its session at once, and with it the engine's side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "paths/identity.h"
#include "proxy/counters.h"
#include "proxy/edited_exchange.h"
#include "proxy/engine_connection.h"
#include "proxy/engine_gate.h"
#include "proxy/exchange.h"
#include "proxy/request_editor.h"
#include "proxy/session_limits.h"

namespace causeway::proxy {

class Session : private io::ByteStream::Handler, private EngineConnection::Owner {
 public:
  // What a session needs of the server around it.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual io::Loop& loop() = 0;
    virtual EngineGate& gate() = 0;
    virtual const Limits& limits() const = 0;
    virtual Quotas& quotas() = 0;
    // What it held was given back: perhaps the system shall have it, too.
    virtual void memory_given_back() = 0;
    virtual Counters& session_counters() = 0;
    virtual IdleEngineConnections& idle_engines() = 0;
    virtual const std::vector<RequestEditor*>& editors() const = 0;
    // A deadline may now be earlier than any the owner knows of.
    virtual void deadline_set(std::uint64_t at_ms) = 0;
    // The session is gone: destroy it, not within this call.
    virtual void session_ended(std::uint64_t id) = 0;
    // The session became a raw stream between these two; the texts go first. session_ended()
    // follows.
    virtual void session_switched(std::uint64_t id, std::unique_ptr<io::ByteStream> client,
                                  std::string to_client, UniqueFd engine,
                                  std::string to_engine) = 0;
  };

  // `identity` belongs to the endpoint, which outlives the session and holds what it takes.
  Session(Owner& owner, std::uint64_t id, Quota::Holder endpoint, const paths::Identity& identity,
          std::unique_ptr<io::ByteStream> client);
  ~Session() override;

  // The gate has changed.
  void engine_changed();
  // When something is due; 0 for never. due() is to be called then.
  std::uint64_t deadline() const { return deadline_; }
  void due();
  // Ends now when idle, else after the present exchange.
  void drain();
  // Ends now.
  void drop() { end(); }
  bool idle() const {
    return phase_ == Phase::reading && !exchange_.request_started() && held_.empty();
  }
  // Its request isn't complete, and the client is to send more.
  bool awaits_client() const;
  // From when on it may be told to go for others that wait: 0 for not as things are.
  std::uint64_t gives_way_at() const;
  void give_way();

 private:
  enum class Phase { reading, waiting, collecting, asking, relaying, answering, closing, gone };

  // session.cpp: the client's bytes
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_read_error(const Error& error) override;
  void on_write_error(const Error& error) override;
  std::size_t consume(std::string_view in);
  void hold(std::string_view bytes);
  void take_held();
  void client_ended();
  void pass_client_eof();
  bool client_satisfied() const;
  void set_deadline(std::uint64_t after_ms);
  void watch_request();
  void heard(std::size_t bytes);
  bool count_memory();
  void limit_memory();
  std::size_t queue_limit() const;

  // session.cpp: from one exchange to the next, and the end
  void begin_exchange();
  void to_engine();
  void finish_exchange();
  void next_request();
  void close();
  void end();

  // session_edits.cpp: a request that may be edited
  void proceed();
  void begin_body();
  void collect(std::string_view content);
  void ask_editors();
  void editors_answered(EditedExchange::Refusal refusal);
  bool refused(EditedExchange::Refusal refusal);
  void pass_prepared();

  // session_engine.cpp: waiting for the engine
  void wait_for_engine(std::uint64_t limit_ms, std::string why);
  void leave_waiting();
  void watch_engine();
  void retry_engine();
  void go_on();

  // session_engine.cpp: its connection
  void bind_engine();
  void release_engine();
  void pass_to_engine(std::string_view bytes);
  void engine_drained() override;
  void engine_write_failed() override;
  void engine_lost();

  // session_engine.cpp: its answer
  void engine_data(std::string_view bytes) override;
  void engine_ended() override;
  bool pass_answer(std::string_view* bytes);
  bool pass_changed_answer(std::string_view* bytes);
  void pass_to_client(std::string_view bytes);
  void bad_answer(const std::string& why);
  void switch_to_raw(std::string_view behind_head);

  // session_answers.cpp: our own answers
  void answer(int status, std::string message);
  void send_answer();
  void refuse(int status, std::string_view message);

  Owner& owner_;
  const std::uint64_t id_;
  const paths::Identity& identity_;
  Phase phase_ = Phase::reading;
  bool client_eof_ = false;
  bool draining_ = false;
  bool head_sent_ = false;      // of the present request, to the present engine connection
  bool engine_reused_ = false;  // it served an earlier request: it may be stale
  bool relayed_ = false;        // something of the response went to the client
  std::uint64_t deadline_ = 0;
  std::uint64_t idle_since_ = 0;
  std::uint64_t heard_ms_ = 0;   // when `pressed_bytes` of the client had come
  std::size_t heard_bytes_ = 0;  // since then
  std::size_t discarded_ = 0;
  struct {
    std::uint64_t until = 0;
    std::string refused;  // why, of an engine that is called ready
  } wait_;                // for the engine
  struct {
    int status = 0;
    std::string message;
  } answer_;            // of our own
  std::string held_;    // client's bytes behind the present request, or while waiting
  std::string unsent_;  // the first piece of a body whose head could not be sent yet
  Charge memory_;
  Charge waiting_;
  Exchange exchange_;
  EditedExchange edited_;
  Lifetime lifetime_;
  std::unique_ptr<EngineConnection> engine_;
  std::unique_ptr<io::ByteStream> client_;  // last: stops first; none after a switch
};

}  // namespace causeway::proxy
