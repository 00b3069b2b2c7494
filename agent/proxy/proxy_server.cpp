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
// How soon somebody is noticed who waits at an endpoint that is full, and could have a place.
constexpr std::uint64_t kLookGapMs = 250;
// What an idle session takes, and how much that was given back is worth a call of malloc_trim().
constexpr std::uint64_t kSessionBytes = 2400;
constexpr std::uint64_t kTrimBytes = std::uint64_t{2} << 20;
}  // namespace

ProxyServer::ProxyServer(io::Loop& loop, EngineGate& gate, Limits limits,
                         std::vector<RequestEditor*> editors)
    : loop_(loop),
      gate_(gate),
      limits_(std::move(limits)),
      editors_(std::move(editors)),
      subscription_(gate.subscribe([this] { gate_changed(); })),
      quotas_(limits_),
      trim_(loop),
      sweep_timer_(loop),
      drain_timer_(loop) {}

ProxyServer::~ProxyServer() { gate_.unsubscribe(subscription_); }

std::uint64_t ProxyServer::listen(UniqueFd listening, paths::Identity identity) {
  const std::uint64_t id = open(std::move(identity));
  Endpoint& endpoint = endpoints_.at(id);
  endpoint.listener =
      std::make_unique<io::Listener>(loop_, std::move(listening), [this, id](UniqueFd client) {
        begin(id, std::make_unique<io::Stream>(loop_, std::move(client), nullptr));
      });
  if (!accepting_) endpoint.listener->pause();
  limit_accepting();  // its reserve is not the others' any more
  return id;
}

void ProxyServer::stop_listening(std::uint64_t listener) {
  const auto found = endpoints_.find(listener);
  if (found == endpoints_.end()) return;
  found->second.listener.reset();
  found->second.closed = true;
  left(listener);
  limit_accepting();
}

std::uint64_t ProxyServer::open(paths::Identity identity) {
  const std::uint64_t id = next_id_++;
  endpoints_[id].identity = std::move(identity);
  quotas_.add(id);
  return id;
}

std::unique_ptr<io::ByteStream> ProxyServer::serve(std::uint64_t endpoint,
                                                   std::unique_ptr<io::ByteStream> client) {
  if (!accepting_ || drained_) return client;
  if (Endpoint& entered = endpoints_.at(endpoint); entered.full) {
    entered.turned_away_ms = loop_.now_ms();
    make_room(endpoint);
    return client;
  }
  begin(endpoint, std::move(client));
  return nullptr;
}

ProxyServer::Users ProxyServer::users(std::uint64_t endpoint) const {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end()) return {};
  Users users{found->second.sessions, found->second.streams, 0, found->second.full};
  for (const auto& [id, served] : sessions_) {
    const Session& session = *served.session;
    if (served.endpoint == endpoint && session.awaits_client() &&
        session.gives_way_at() <= loop_.now_ms())
      ++users.stalled;
  }
  return users;
}

void ProxyServer::left(std::uint64_t endpoint) {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end() || !found->second.closed) return;
  if (found->second.sessions + found->second.streams > 0) return;
  endpoints_.erase(found);
  quotas_.remove(endpoint);
}

void ProxyServer::begin(std::uint64_t endpoint, std::unique_ptr<io::ByteStream> client) {
  const std::uint64_t id = next_id_++;
  Endpoint& entered = endpoints_.at(endpoint);
  if (!quotas_.places.take(endpoint, 1)) return limit_accepting();
  ++counters_.accepted;
  ++entered.sessions;
  Session::Owner& owner = *this;
  sessions_.emplace(
      id, Served{endpoint, std::make_unique<Session>(owner, id, endpoint, entered.identity,
                                                     std::move(client))});
  counters_.sessions = sessions_.size();
  limit_accepting();
}

// An endpoint without a place for one more accepts nobody: its clients wait in the backlog. Whoever
// has least use of a place makes room for one that waits, as soon as there is one.
void ProxyServer::limit_accepting() {
  if (!accepting_ || drained_) return;
  for (auto& [id, endpoint] : endpoints_) {
    const bool full = !quotas_.places.has_room(id, 1);
    if (full != endpoint.full) set_full(endpoint, full);
    if (full) make_room(id);
  }
}

void ProxyServer::set_full(Endpoint& endpoint, bool full) {
  endpoint.full = full;
  if (full &&
      (endpoint.full_logged_ms == 0 || loop_.now_ms() >= endpoint.full_logged_ms + kFullLogGapMs)) {
    endpoint.full_logged_ms = loop_.now_ms();
    log::warning("proxy.full", {{"identity", endpoint.identity.name},
                                {"connections", endpoint.sessions + endpoint.streams},
                                {"of_all", quotas_.places.used()}});
  }
  if (!endpoint.listener) return;
  if (full) {
    endpoint.listener->pause();
  } else {
    endpoint.listener->resume();
  }
}

bool ProxyServer::has_waiting(const Endpoint& endpoint) const {
  if (endpoint.listener) return endpoint.listener->has_waiting();
  return endpoint.turned_away_ms != 0 &&
         loop_.now_ms() < endpoint.turned_away_ms + limits_.pressed_ms;
}

// Tells one session to go: of that endpoint, or of one that has more than its reserve. The longest
// idle one first, then the one whose request has stalled the longest. The place is free in the next
// turn; then session_ended() looks again.
void ProxyServer::make_room(std::uint64_t endpoint) {
  Session* idle = nullptr;
  Session* stalled = nullptr;
  std::uint64_t next = 0;
  const std::uint64_t now = loop_.now_ms();
  for (const auto& [id, served] : sessions_) {
    Session& session = *served.session;
    const std::uint64_t at = session.gives_way_at();
    if (at == 0) continue;
    if (served.endpoint != endpoint && !quotas_.places.above_reserve(served.endpoint)) continue;
    if (at > now) {
      if (next == 0 || at < next) next = at;
      continue;
    }
    Session*& longest = session.idle() ? idle : stalled;
    if (longest == nullptr || at < longest->gives_way_at()) longest = &session;
  }
  // Time alone makes a session one that gives way, and nothing tells that somebody came to wait:
  // looked at again by the sweep.
  Session* const chosen = idle != nullptr ? idle : stalled;
  if (chosen != nullptr) {
    if (has_waiting(endpoints_.at(endpoint))) return chosen->give_way();
    next = now + kLookGapMs;
  }
  if (next != 0) deadline_set(next);
}

void ProxyServer::session_ended(std::uint64_t id) {
  loop_.defer(lifetime_.guard([this, id] {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
      const std::uint64_t endpoint = found->second.endpoint;
      const bool switched = found->second.switched;
      sessions_.erase(found);
      --endpoints_.at(endpoint).sessions;
      if (!switched) quotas_.places.give_back(endpoint, 1);
      left(endpoint);
    }
    counters_.sessions = sessions_.size();
    memory_given_back();
    limit_accepting();
    check_drained();
  }));
}

// What sessions held, and the sessions themselves.
void ProxyServer::memory_given_back() {
  const std::uint64_t all =
      quotas_.memory.given_back() + quotas_.places.given_back() * kSessionBytes;
  if (all - trimmed_ < kTrimBytes) return;
  trimmed_ = all;
  trim_.soon();
}

void ProxyServer::session_switched(std::uint64_t id, std::unique_ptr<io::ByteStream> client,
                                   std::string to_client, UniqueFd engine, std::string to_engine) {
  Streamed stream;
  Served& served = sessions_.at(id);
  served.switched = true;
  stream.endpoint = served.endpoint;
  ++endpoints_.at(stream.endpoint).streams;
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
    --endpoints_.at(endpoint).streams;
    quotas_.places.give_back(endpoint, 1);
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
  limit_accepting();
  if (next != 0) deadline_set(std::max(next, now + std::min(kSweepGapMs, limits_.head_ms)));
}

void ProxyServer::drain(std::uint64_t limit_ms, std::function<void()> drained) {
  drained_ = std::move(drained);
  for (const auto& [id, endpoint] : endpoints_)
    if (endpoint.listener) endpoint.listener->pause();
  for (const auto& [id, served] : sessions_) served.session->drain();
  drain_timer_.start(limit_ms, [this] {
    for (const auto& [id, streamed] : streams_) --endpoints_.at(streamed.endpoint).streams;
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
