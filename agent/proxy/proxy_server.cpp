#include "proxy/proxy_server.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "io/stream.h"

namespace causeway::proxy {
namespace {
// Deadlines are 5 s and more: a sweep looks at every session, so it runs no more often than this.
constexpr std::uint64_t kSweepGapMs = 250;
// At the limit each end of a session lets one client in: that is one event, not thousands.
constexpr std::uint64_t kFullLogGapMs = 60'000;
}  // namespace

ProxyServer::ProxyServer(io::Loop& loop, EngineGate& gate, Limits limits,
                         std::vector<RequestEditor*> editors)
    : loop_(loop),
      gate_(gate),
      limits_(std::move(limits)),
      editors_(std::move(editors)),
      subscription_(gate.subscribe([this] { gate_changed(); })),
      sweep_timer_(loop),
      drain_timer_(loop) {}

ProxyServer::~ProxyServer() { gate_.unsubscribe(subscription_); }

std::uint64_t ProxyServer::listen(UniqueFd listening, paths::Identity identity) {
  const std::uint64_t id = next_id_++;
  Endpoint& endpoint = endpoints_[id];
  endpoint.identity = std::move(identity);
  endpoint.listener =
      std::make_unique<io::Listener>(loop_, std::move(listening), [this, id](UniqueFd client) {
        begin(id, std::make_unique<io::Stream>(loop_, std::move(client), nullptr));
      });
  if (!accepting_) endpoint.listener->pause();
  return id;
}

void ProxyServer::stop_listening(std::uint64_t listener) {
  const auto found = endpoints_.find(listener);
  if (found == endpoints_.end()) return;
  found->second.listener.reset();
  found->second.closed = true;
  left(listener);
}

std::uint64_t ProxyServer::open(paths::Identity identity) {
  const std::uint64_t id = next_id_++;
  endpoints_[id].identity = std::move(identity);
  return id;
}

std::unique_ptr<io::ByteStream> ProxyServer::serve(std::uint64_t endpoint,
                                                   std::unique_ptr<io::ByteStream> client) {
  if (!accepting_ || drained_) return client;
  begin(endpoint, std::move(client));
  return nullptr;
}

ProxyServer::Users ProxyServer::users(std::uint64_t endpoint) const {
  const auto found = endpoints_.find(endpoint);
  return found == endpoints_.end() ? Users{} : found->second.users;
}

void ProxyServer::left(std::uint64_t endpoint) {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end() || !found->second.closed) return;
  const Users& users = found->second.users;
  if (users.sessions == 0 && users.streams == 0) endpoints_.erase(found);
}

void ProxyServer::begin(std::uint64_t endpoint, std::unique_ptr<io::ByteStream> client) {
  ++counters_.accepted;
  const std::uint64_t id = next_id_++;
  Endpoint& entered = endpoints_.at(endpoint);
  ++entered.users.sessions;
  Session::Owner& owner = *this;
  sessions_.emplace(id, Served{endpoint, std::make_unique<Session>(owner, id, entered.identity,
                                                                   std::move(client))});
  counters_.sessions = sessions_.size();
  limit_accepting();
}

// At the limit the longest idle session makes room for the next client. There is none: clients wait
// in the backlog.
void ProxyServer::limit_accepting() {
  const bool room = sessions_.size() + streams_.size() < limits_.sessions || make_room();
  // Time alone makes a session idle long enough: looked at again by the sweep.
  if (!room) deadline_set(loop_.now_ms() + limits_.linger_ms);
  if (room == accepting_ || drained_) return;
  accepting_ = room;
  if (!room && (full_logged_ == 0 || loop_.now_ms() >= full_logged_ + kFullLogGapMs)) {
    full_logged_ = loop_.now_ms();
    log::warning("proxy.full", {{"sessions", limits_.sessions}});
  }
  for (const auto& [id, endpoint] : endpoints_) {
    if (!endpoint.listener) continue;
    if (room) {
      endpoint.listener->resume();
    } else {
      endpoint.listener->pause();
    }
  }
}

bool ProxyServer::make_room() {
  Session* longest = nullptr;
  for (const auto& [id, served] : sessions_) {
    const auto& session = served.session;
    if (!session->idle()) continue;
    // One that has just come has not had the time to speak.
    if (loop_.now_ms() - session->idle_since() < limits_.linger_ms) continue;
    if (longest == nullptr || session->idle_since() < longest->idle_since())
      longest = session.get();
  }
  if (longest != nullptr) longest->drop();
  return false;  // not before it is gone: session_ended() looks again
}

void ProxyServer::session_ended(std::uint64_t id) {
  loop_.defer(lifetime_.guard([this, id] {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
      const std::uint64_t endpoint = found->second.endpoint;
      sessions_.erase(found);
      --endpoints_.at(endpoint).users.sessions;
      left(endpoint);
    }
    counters_.sessions = sessions_.size();
    limit_accepting();
    check_drained();
  }));
}

void ProxyServer::session_switched(std::uint64_t id, std::unique_ptr<io::ByteStream> client,
                                   std::string to_client, UniqueFd engine, std::string to_engine) {
  Streamed stream;
  stream.endpoint = sessions_.at(id).endpoint;
  ++endpoints_.at(stream.endpoint).users.streams;
  const auto ended = [this, id] { stream_ended(id); };
  std::string unsent;
  if (UniqueFd fd = client->release(&unsent); fd) {
    unsent.append(to_client);
    stream.splice = std::make_unique<io::Splice>(
        loop_, pipes_, io::Splice::End{std::move(fd), std::move(unsent)},
        io::Splice::End{std::move(engine), std::move(to_engine)}, ended);
  } else {
    client->write(to_client);
    auto other = std::make_unique<io::Stream>(loop_, std::move(engine), nullptr);
    other->write(to_engine);
    stream.relay = std::make_unique<io::Relay>(loop_, std::move(client), std::move(other), ended);
  }
  streams_.emplace(id, std::move(stream));
  counters_.streams = streams_.size();
}

void ProxyServer::stream_ended(std::uint64_t id) {
  if (const auto found = streams_.find(id); found != streams_.end()) {
    const std::uint64_t endpoint = found->second.endpoint;
    streams_.erase(found);
    --endpoints_.at(endpoint).users.streams;
    left(endpoint);
  }
  counters_.streams = streams_.size();
  limit_accepting();
  check_drained();
}

void ProxyServer::gate_changed() {
  idle_engines_.clear();  // of the engine that was
  if (counters_.waiting == 0) return;
  // Sessions are destroyed in the next turn at the earliest, and none is made here.
  for (const auto& [id, served] : sessions_) served.session->engine_changed();
}

void ProxyServer::deadline_set(std::uint64_t at_ms) {
  if (!sweeping_ && (sweep_at_ == 0 || at_ms < sweep_at_)) arm(at_ms);
}

void ProxyServer::arm(std::uint64_t at_ms) {
  const std::uint64_t now = loop_.now_ms();
  sweep_at_ = at_ms;
  sweep_timer_.start(at_ms > now ? at_ms - now : 0, [this] { sweep(); });
}

void ProxyServer::sweep() {
  sweep_at_ = 0;
  sweeping_ = true;
  const std::uint64_t now = loop_.now_ms();
  std::uint64_t next = 0;
  for (const auto& [id, served] : sessions_) {
    const auto& session = served.session;
    if (session->deadline() != 0 && session->deadline() <= now) session->due();
    const std::uint64_t deadline = session->deadline();
    if (deadline != 0 && (next == 0 || deadline < next)) next = deadline;
  }
  sweeping_ = false;
  if (!accepting_) limit_accepting();
  if (next != 0) deadline_set(std::max(next, now + std::min(kSweepGapMs, limits_.head_ms)));
}

void ProxyServer::drain(std::uint64_t limit_ms, std::function<void()> drained) {
  drained_ = std::move(drained);
  for (const auto& [id, endpoint] : endpoints_)
    if (endpoint.listener) endpoint.listener->pause();
  for (const auto& [id, served] : sessions_) served.session->drain();
  drain_timer_.start(limit_ms, [this] {
    for (const auto& [id, streamed] : streams_) --endpoints_.at(streamed.endpoint).users.streams;
    streams_.clear();
    counters_.streams = 0;
    for (const auto& [id, served] : sessions_) served.session->drop();
    check_drained();
  });
  loop_.defer(lifetime_.guard([this] { check_drained(); }));
}

void ProxyServer::check_drained() {
  if (!drained_ || !sessions_.empty() || !streams_.empty()) return;
  drain_timer_.stop();
  const auto drained = std::exchange(drained_, nullptr);
  accepting_ = false;
  drained();
}

}  // namespace causeway::proxy
