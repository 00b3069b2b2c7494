// ProxyServer is the Engine API endpoint: it accepts on any number of listening sockets, each with
// its identity, takes clients that came in otherwise (the link), and relays every client to the
// engine's own socket.
//
//   client ──▶ endpoint (identity) ──▶ Session ── HTTP ──▶ engine socket
//                                         └── 101, hijack ──▶ raw bytes: Splice, or Relay for a
//                                                             client that has no descriptor
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "io/byte_stream.h"
#include "io/heap_trim.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/relay.h"
#include "io/splice.h"
#include "io/timer.h"
#include "paths/identity.h"
#include "proxy/counters.h"
#include "proxy/engine_gate.h"
#include "proxy/request_editor.h"
#include "proxy/session.h"
#include "proxy/session_limits.h"

namespace causeway::proxy {

class ProxyServer : private Session::Owner {
 public:
  // `loop`, `gate` and the editors must outlive the server. The editors are asked in this order.
  ProxyServer(io::Loop& loop, EngineGate& gate, Limits limits = {},
              std::vector<RequestEditor*> editors = {});
  ~ProxyServer() override;
  ProxyServer(const ProxyServer&) = delete;
  ProxyServer& operator=(const ProxyServer&) = delete;

  // Accepts on `listening` from now on. The socket may be shared with another process (the fd
  // store): closing ours does not close it, and clients queue in its backlog meanwhile.
  // Returns a number for the calls below, never 0.
  std::uint64_t listen(UniqueFd listening, paths::Identity identity);
  // Accepts no more there, and closes the socket; clients that are served stay.
  void stop_listening(std::uint64_t listener);

  // An endpoint without a socket, for good: a number for serve() and users().
  std::uint64_t open(paths::Identity identity);
  // A client of that endpoint. It is given back when there are too many, and at the end: nobody
  // waits here as in a listener's backlog.
  std::unique_ptr<io::ByteStream> serve(std::uint64_t endpoint,
                                        std::unique_ptr<io::ByteStream> client);

  const Counters& counters() const { return counters_; }
  // Of the clients that came in by this endpoint.
  struct Users {
    std::size_t sessions = 0;
    std::size_t streams = 0;
    std::size_t stalled = 0;  // sessions that have waited for the rest of a request, for a while
    bool full = false;        // nobody else is let in: further clients wait
  };
  Users users(std::uint64_t endpoint) const;
  const Quotas& quotas_now() const { return quotas_; }

  // The end of the agent: accepts no more, closes idle sessions, lets running exchanges and raw
  // streams end by themselves for `limit_ms`, then drops them. `drained` is called once, when none
  // is left, never from within drain().
  void drain(std::uint64_t limit_ms, std::function<void()> drained);

 private:
  // Stays until its last client has gone, since sessions refer to its identity.
  struct Endpoint {
    paths::Identity identity;
    std::unique_ptr<io::Listener> listener;  // none: of open(), or it accepts no more
    std::size_t sessions = 0;
    std::size_t streams = 0;
    bool closed = false;
    bool full = false;
    std::uint64_t turned_away_ms = 0;  // of open(): when somebody was
    std::uint64_t full_logged_ms = 0;
  };

  void begin(std::uint64_t endpoint, std::unique_ptr<io::ByteStream> client);
  void left(std::uint64_t endpoint);
  bool has_waiting(const Endpoint& endpoint) const;
  void set_full(Endpoint& endpoint, bool full);
  void make_room(std::uint64_t endpoint);
  void limit_accepting();
  void stream_ended(std::uint64_t id);
  void gate_changed();
  void sweep();
  void arm(std::uint64_t at_ms);
  void check_drained();

  io::Loop& loop() override { return loop_; }
  EngineGate& gate() override { return gate_; }
  const Limits& limits() const override { return limits_; }
  Quotas& quotas() override { return quotas_; }
  void memory_given_back() override;
  Counters& session_counters() override { return counters_; }
  IdleEngineConnections& idle_engines() override { return idle_engines_; }
  const std::vector<RequestEditor*>& editors() const override { return editors_; }
  void deadline_set(std::uint64_t at_ms) override;
  void session_ended(std::uint64_t id) override;
  void session_switched(std::uint64_t id, std::unique_ptr<io::ByteStream> client,
                        std::string to_client, UniqueFd engine, std::string to_engine) override;

  io::Loop& loop_;
  EngineGate& gate_;
  const Limits limits_;
  const std::vector<RequestEditor*> editors_;
  Counters counters_;
  std::uint64_t subscription_;
  std::uint64_t next_id_ = 1;
  bool accepting_ = true;  // not once it is drained
  bool sweeping_ = false;
  std::uint64_t trimmed_ = 0;   // up to here, of what was given back
  std::uint64_t sweep_at_ = 0;  // 0: the timer is not armed
  std::function<void()> drained_;
  Lifetime lifetime_;
  Quotas quotas_;  // sessions give back to it as they go
  io::HeapTrim trim_;
  io::PipePool pipes_;
  IdleEngineConnections idle_engines_;
  io::Timer sweep_timer_;  // one for all sessions: armed for the earliest deadline
  io::Timer drain_timer_;
  struct Served {
    std::uint64_t endpoint = 0;
    std::unique_ptr<Session> session;
    bool switched = false;  // its place is a stream's now
  };
  struct Streamed {
    std::uint64_t endpoint = 0;
    std::unique_ptr<io::Splice> splice;  // or
    std::unique_ptr<io::Relay> relay;
  };
  std::map<std::uint64_t, Endpoint> endpoints_;  // nodes stay in place
  std::unordered_map<std::uint64_t, Streamed> streams_;
  std::unordered_map<std::uint64_t, Served> sessions_;
};

}  // namespace causeway::proxy
