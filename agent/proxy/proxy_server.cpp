#include "proxy/proxy_server.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace causeway::proxy {
namespace {
// Deadlines are 5 s and more: a sweep looks at every session, so it runs no more often than this.
constexpr std::uint64_t kSweepGapMs = 250;
// At the limit each end of a session lets one client in: that is one event, not thousands.
constexpr std::uint64_t kFullLogGapMs = 60'000;
}  // namespace

ProxyServer::ProxyServer(io::Loop& loop, EngineGate& gate, Limits limits)
    : loop_(loop),
      gate_(gate),
      limits_(limits),
      subscription_(gate.subscribe([this] { gate_changed(); })),
      lifetime_(std::make_shared<int>(0)),
      sweep_timer_(loop),
      drain_timer_(loop) {}

ProxyServer::~ProxyServer() { gate_.unsubscribe(subscription_); }

void ProxyServer::listen(UniqueFd listening, Identity identity) {
  auto endpoint = std::make_unique<Endpoint>();
  Endpoint* const at = endpoint.get();
  at->identity = std::move(identity);
  at->listener = std::make_unique<io::Listener>(
      loop_, std::move(listening),
      [this, at](UniqueFd client) { accepted(at->identity, std::move(client)); });
  if (!accepting_) at->listener->pause();
  endpoints_.push_back(std::move(endpoint));
}

void ProxyServer::accepted(const Identity& identity, UniqueFd client) {
  ++counters_.accepted;
  const std::uint64_t id = next_id_++;
  Session::Host& host = *this;
  sessions_.emplace(id, std::make_unique<Session>(host, id, identity, std::move(client)));
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
  for (const auto& endpoint : endpoints_) {
    if (room) {
      endpoint->listener->resume();
    } else {
      endpoint->listener->pause();
    }
  }
}

bool ProxyServer::make_room() {
  Session* longest = nullptr;
  for (const auto& [id, session] : sessions_) {
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
  loop_.defer([this, id, alive = std::weak_ptr<int>(lifetime_)] {
    if (alive.expired()) return;
    sessions_.erase(id);
    counters_.sessions = sessions_.size();
    limit_accepting();
    check_drained();
  });
}

void ProxyServer::session_switched(std::uint64_t id, UniqueFd client, std::string to_client,
                                   UniqueFd engine, std::string to_engine) {
  streams_.emplace(id, std::make_unique<io::Splice>(
                           loop_, pipes_, io::Splice::End{std::move(client), std::move(to_client)},
                           io::Splice::End{std::move(engine), std::move(to_engine)},
                           [this, id] { stream_ended(id); }));
  counters_.streams = streams_.size();
}

void ProxyServer::stream_ended(std::uint64_t id) {
  streams_.erase(id);
  counters_.streams = streams_.size();
  limit_accepting();
  check_drained();
}

void ProxyServer::gate_changed() {
  idle_engines_.clear();  // of the engine that was
  if (counters_.waiting == 0) return;
  // Sessions are destroyed in the next turn at the earliest, and none is made here.
  for (const auto& [id, session] : sessions_) session->engine_changed();
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
  for (const auto& [id, session] : sessions_) {
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
  for (const auto& endpoint : endpoints_) endpoint->listener->pause();
  for (const auto& [id, session] : sessions_) session->drain();
  drain_timer_.start(limit_ms, [this] {
    streams_.clear();
    counters_.streams = 0;
    for (const auto& [id, session] : sessions_) session->drop();
    check_drained();
  });
  loop_.defer([this, alive = std::weak_ptr<int>(lifetime_)] {
    if (!alive.expired()) check_drained();
  });
}

void ProxyServer::check_drained() {
  if (!drained_ || !sessions_.empty() || !streams_.empty()) return;
  drain_timer_.stop();
  const auto drained = std::exchange(drained_, nullptr);
  accepting_ = false;
  drained();
}

}  // namespace causeway::proxy
