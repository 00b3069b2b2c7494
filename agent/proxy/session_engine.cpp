// The engine's side of a session: waiting for it, its connection, what goes there and comes back.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "proxy/session.h"

namespace causeway::proxy {

using io::Stream;

namespace {
// Often enough not to be felt, seldom enough to cost nothing.
constexpr std::uint64_t kReconnectEveryMs = 250;
}  // namespace

// Relaying, on the connection there is or a new one. The head is sent with the first piece of body.
void Session::bind_engine() {
  if (!engine_) {
    engine_ = owner_.idle_engines().take();
    if (engine_) engine_->set_owner(*this);
  }
  engine_reused_ = engine_ != nullptr;
  if (!engine_) {
    auto connected = EngineConnection::connect(owner_.loop(), owner_.gate().socket_path(), *this);
    if (!connected.ok()) {
      // It is called ready: either it has just died, which the gate will tell, or its backlog is
      // full.
      wait_for_engine(owner_.limits().reconnect_ms, std::move(connected).error().message);
      return;
    }
    engine_ = std::move(*connected);
  }
  phase_ = Phase::relaying;
}

// Between exchanges the connection is clean and may serve another session; else its end tells the
// engine that nobody waits any more.
void Session::release_engine() {
  if (!engine_) return;
  io::Stream& engine = engine_->stream();
  if (!head_sent_ && !engine.write_ended() && engine.queued() == 0 && !engine.paused()) {
    owner_.idle_engines().keep(std::move(engine_));
  }
  engine_.reset();
}

void Session::wait_for_engine(std::uint64_t limit_ms, std::string why) {
  Counters& counters = owner_.session_counters();
  if (!waiting_.set(1)) {
    answer(503, describe(owner_.gate()) + " (too many requests wait for it)");
    return;
  }
  ++counters.waiting;
  phase_ = Phase::waiting;
  wait_ = {owner_.loop().now_ms() + limit_ms, std::move(why)};
  client_->pause(Stream::waiting);
  watch_engine();
}

// The gate tells when the engine's state changes. When it is called ready and yet refuses, its
// backlog may be full, and nothing tells when that ends: then it is tried again.
void Session::watch_engine() {
  const std::uint64_t now = owner_.loop().now_ms();
  const std::uint64_t left = wait_.until > now ? wait_.until - now : 0;
  const bool retry = owner_.gate().state() == EngineGate::State::ready;
  set_deadline(std::max<std::uint64_t>(1, retry ? std::min(left, kReconnectEveryMs) : left));
}

void Session::leave_waiting() {
  --owner_.session_counters().waiting;
  waiting_.set(0);
  deadline_ = 0;
  client_->resume(Stream::waiting);
}

void Session::engine_changed() {
  if (phase_ != Phase::waiting) return;
  const auto admission = owner_.gate().admit();
  // An engine that was asleep may be awake within that call, which tells this session first.
  if (phase_ != Phase::waiting) return;
  switch (admission) {
    case EngineGate::Admission::wait:
      // It was ready and has died, or has just fallen asleep: from here on it is a start like any
      // other.
      wait_ = {owner_.loop().now_ms() + owner_.limits().engine_wait_ms, {}};
      return watch_engine();
    case EngineGate::Admission::refuse:
      leave_waiting();
      answer(503, describe(owner_.gate()));
      break;
    case EngineGate::Admission::go_on:
      return retry_engine();
  }
  watch_request();
  take_held();
}

void Session::retry_engine() {
  const std::uint64_t wait_until = wait_.until;
  leave_waiting();
  proceed();
  if (phase_ == Phase::waiting) {
    // As before: trying does not prolong the wait.
    wait_.until = std::min(wait_until, wait_.until);
    return watch_engine();
  }
  go_on();
}

// After a request that could not go on for a while has got further.
void Session::go_on() {
  heard_ms_ = owner_.loop().now_ms();  // it wasn't its turn
  if (phase_ == Phase::relaying) {
    const std::string first = std::exchange(unsent_, {});
    if (!first.empty()) pass_to_engine(first);
    pass_prepared();
    pass_to_engine({});  // a head without a body behind it
  }
  watch_request();
  if (client_eof_) client_ended();
  take_held();
}

void Session::pass_to_engine(std::string_view bytes) {
  if (!engine_) return;
  Stream& engine = engine_->stream();
  if (!head_sent_) {
    engine.write(edited_.head(), bytes);
    if (engine.write_ended() && engine_reused_) {
      // Stale: the engine closed it while it was idle, and has taken nothing of this request. So
      // any request may go to a new one.
      engine_.reset();
      owner_.idle_engines().clear();
      bind_engine();
      if (phase_ != Phase::relaying) {
        unsent_.assign(bytes);
        return;
      }
      return pass_to_engine(bytes);
    }
    head_sent_ = true;
  } else {
    engine.write(bytes);
  }
  if (engine.queued() > queue_limit()) client_->pause(Stream::backlog);
}

void Session::engine_drained() {
  client_->resume(Stream::backlog);
  if (phase_ != Phase::relaying) return;
  pass_prepared();
  count_memory();  // less than before
  heard_ms_ = owner_.loop().now_ms();
  watch_request();
}

// It has closed while we send: its answer may be on the way. What still comes of the request is
// dropped by the stream; the client must be read, for it may only look at the answer afterwards.
void Session::engine_write_failed() { client_->resume(Stream::backlog); }

void Session::engine_data(std::string_view bytes) {
  if (phase_ != Phase::relaying || !head_sent_ || exchange_.response_complete()) {
    // Bytes that answer nothing: dockerd closing an idle connection with a 408, or worse.
    engine_.reset();
    if (phase_ == Phase::relaying) engine_lost();
    return;
  }
  if (!(edited_.changes_answer() ? pass_changed_answer(&bytes) : pass_answer(&bytes))) return;
  if (exchange_.switched()) return switch_to_raw(bytes);
  if (client_->queued() > queue_limit()) engine_->stream().pause(Stream::backlog);
  limit_memory();
  if (phase_ == Phase::gone) return;
  if (!exchange_.response_complete()) return;
  if (!bytes.empty()) engine_.reset();  // more than one answer to one request
  if (exchange_.request_complete()) return finish_exchange();
  // An early answer. The engine may want the rest of the request, or not.
  if (!engine_ || !exchange_.engine_keeps_alive() || client_eof_) close();
}

// Takes what belongs to the present answer; false when that has ended the exchange.
bool Session::pass_answer(std::string_view* in) {
  std::string_view& bytes = *in;
  // Pieces that lie side by side in `bytes` go out in one write: each write wakes the client.
  std::string_view out;
  while (!bytes.empty() && !exchange_.response_complete() && !exchange_.switched()) {
    const auto piece = exchange_.from_engine(bytes);
    if (!piece.ok()) {
      pass_to_client(out);
      bad_answer(piece.error().message);
      return false;
    }
    if (out.data() + out.size() == piece->wire.data()) {
      out = {out.data(), out.size() + piece->wire.size()};
    } else if (!piece->wire.empty()) {
      pass_to_client(out);
      out = piece->wire;
    }
    // The parser's own memory is good until it is fed again.
    if (piece->wire.data() != bytes.data()) pass_to_client(std::exchange(out, {}));
    bytes.remove_prefix(piece->taken);
  }
  pass_to_client(out);
  return true;
}

// The same, for an answer that changes on its way.
bool Session::pass_changed_answer(std::string_view* in) {
  std::string out;
  const Status passed = edited_.pass_answer(in, out);
  pass_to_client(out);
  if (!passed.ok()) bad_answer(passed.error().message);
  return passed.ok();
}

void Session::bad_answer(const std::string& why) {
  log::warning("engine.bad_response",
               {{"identity", identity_.name}, {"session", id_}, {"reason", why}});
  engine_.reset();
  if (relayed_) return close();
  answer(502, "the Docker engine's answer is malformed: " + why);
}

void Session::pass_to_client(std::string_view bytes) {
  if (bytes.empty()) return;
  client_->write(bytes);
  relayed_ = true;
}

void Session::engine_ended() {
  if (phase_ != Phase::relaying || !head_sent_) {
    engine_.reset();  // idle; the next request gets a new one
    return;
  }
  engine_lost();
}

// The present connection gives nothing more.
void Session::engine_lost() {
  if (relayed_) {
    // Complete now if its end is the connection's end. Otherwise the client learns by an early end:
    // nothing may be made up.
    const bool complete = exchange_.engine_ended();
    pass_to_client(edited_.end_answer(complete));
    if (!complete)
      log::warning("engine.truncated_response", {{"identity", identity_.name}, {"session", id_}});
    return close();
  }
  engine_.reset();
  if (engine_reused_ && !exchange_.response_started() && exchange_.repeatable()) {
    head_sent_ = false;
    owner_.idle_engines().clear();  // so it is a new connection, and this happens once
    bind_engine();
    if (phase_ == Phase::relaying) pass_to_engine({});
    return;
  }
  std::string message = "the Docker engine closed the connection without an answer";
  if (owner_.gate().state() != EngineGate::State::ready) {
    message.append("; ").append(describe(owner_.gate()));
  }
  answer(502, std::move(message));
}

// The HTTP part is over: both ends, what is queued for either side, and what came behind either
// head become a raw stream. A FIN that the client has sent is met again there.
void Session::switch_to_raw(std::string_view behind_head) {
  std::string to_engine;
  UniqueFd engine = engine_->stream().release(&to_engine);
  to_engine.append(held_);
  ++owner_.session_counters().upgraded;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.switched", {{"session", id_}, {"target", exchange_.request().target}});
  }
  owner_.session_switched(id_, std::move(client_), std::string(behind_head), std::move(engine),
                          std::move(to_engine));
  end();
}

}  // namespace causeway::proxy
