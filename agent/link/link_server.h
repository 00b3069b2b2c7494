// LinkServer is the agent's end of the link to Windows: endpoints where Windows connects, and the
// sessions of the connections that are there.
//
//   vsock, link.sock, TCP ──▶ LinkListener ──▶ LinkSession ── channels ──▶ Handler::serve
//
// Windows holds one connection. It dials anew when it has lost one that we still take for alive: so
// the newest is the one that counts, and beyond `sessions` the oldest is dropped. Who doesn't know
// the nonce can drop nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "io/byte_stream.h"
#include "io/heap_trim.h"
#include "io/loop.h"
#include "link/endpoints.h"
#include "link/heartbeat.h"
#include "link/link_listener.h"
#include "link/link_session.h"
#include "wire/ports.h"

namespace causeway::link {

class LinkServer : private LinkSession::Owner {
 public:
  struct Options {
    LinkSession::Options session;  // with the nonce
    // With the nonce known. It protects the agent's memory from a Windows side that dials without
    // end.
    std::size_t sessions = 4;
    // Within the hello, for each transport: more are closed at once. It protects the agent's
    // descriptors from who knocks there, and who comes by another transport from him.
    std::size_t strangers = 64;
    std::uint64_t tick_ms = 10'000;
    LinkListener::Delays delays;
  };
  struct Handler {
    // A channel that Windows opened. What is not served is given back, and answered with RST.
    std::function<std::unique_ptr<io::ByteStream>(wire::Channel, std::unique_ptr<io::ByteStream>)>
        serve;
    std::function<void()> connected;  // a session is open
    std::function<void()> changed;    // something that status() shows, but for numbers of streams
  };

  LinkServer(io::Loop& loop, Options options, Handler handler);
  ~LinkServer() override;
  LinkServer(const LinkServer&) = delete;
  LinkServer& operator=(const LinkServer&) = delete;

  void listen(Endpoint endpoint);

  // A stream to Windows, over the newest session; null when there is none.
  std::unique_ptr<io::ByteStream> open(wire::Channel channel);

  struct Refusal {
    std::string reason;
    std::uint64_t at_ms = 0;  // of the loop's clock
  };
  struct Status {
    std::size_t sessions = 0;
    std::size_t streams = 0;
    std::string transport;       // of the newest session
    std::uint64_t since_ms = 0;  // of the newest session, or since there is none
    std::optional<Refusal> refusal;
  };
  Status status() const;
  const std::list<LinkListener>& listeners() const { return listeners_; }

 private:
  void accepted(const std::string& transport, bool may_be_silent, UniqueFd fd);
  void tick();
  void note_refusal(const std::string& reason);

  void opened(LinkSession& session) override;
  std::unique_ptr<io::ByteStream> serve(wire::Channel channel,
                                        std::unique_ptr<io::ByteStream> stream) override;
  void over(LinkSession& session, const std::string& reason) override;
  void refused(LinkSession& session, const std::string& reason) override;
  std::span<char> output() override;

  std::size_t count_open() const;
  std::size_t count_strangers(const std::string& transport) const;
  LinkSession* newest();
  const LinkSession* newest() const;

  io::Loop& loop_;
  const Options options_;
  const Handler handler_;
  std::uint64_t alone_since_ms_;
  std::uint64_t refusal_logged_ms_ = 0;
  std::optional<Refusal> refusal_;
  std::size_t most_streams_ = 0;  // since memory was given back last
  Lifetime lifetime_;
  io::HeapTrim trim_;
  std::vector<char> output_;                          // while there are sessions
  std::unique_ptr<Heartbeat> heartbeat_;              // while there are sessions
  std::list<std::unique_ptr<LinkSession>> sessions_;  // in the order they were opened
  std::list<LinkListener> listeners_;  // last: nobody is accepted while the rest goes
};

}  // namespace causeway::link
