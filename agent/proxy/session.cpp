#include "proxy/session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine_api/error_body.h"

namespace causeway::proxy {

using io::Stream;

namespace {
// Often enough not to be felt, seldom enough to cost nothing.
constexpr std::uint64_t kReconnectEveryMs = 250;
}  // namespace

Session::Session(Host& host, std::uint64_t id, const Identity& identity, UniqueFd client)
    : host_(host),
      id_(id),
      identity_(identity),
      idle_since_(host.loop().now_ms()),
      exchange_(host.limits().http),
      lifetime_(std::make_shared<int>(0)),
      client_(host.loop(), std::move(client), this) {
  if (log::enabled(log::Level::debug)) {
    log::debug("session.begin", {{"session", id_}, {"identity", identity_.name}});
  }
  set_deadline(host_.limits().idle_ms);
  client_.watch_hangup(true);
  client_.resume(Stream::not_started);
}

Session::~Session() = default;

// ---- client ------------------------------------------------------------------------------------

void Session::on_data(std::string_view bytes) {
  if (phase_ == Phase::closing || phase_ == Phase::gone) return;  // dropped
  if (phase_ == Phase::waiting || !held_.empty()) return hold(bytes);
  const std::size_t used = consume(bytes);
  if (used < bytes.size() && phase_ != Phase::gone) {
    hold(bytes.substr(used));
    if (phase_ == Phase::reading) take_held();  // the exchange before ended within these bytes
  }
  watch_request();
}

// Takes what belongs to the present request; the rest must wait for its turn.
std::size_t Session::consume(std::string_view in) {
  std::size_t used = 0;
  while (used < in.size()) {
    if (phase_ == Phase::closing || phase_ == Phase::gone) return in.size();
    if (phase_ == Phase::waiting || exchange_.request_complete()) break;
    const bool had_head = exchange_.request_head_done();
    const auto piece = exchange_.from_client(in.substr(used));
    if (!piece.ok()) {
      refuse(400, piece.error().message);
      return in.size();
    }
    used += piece->taken;
    if (!had_head) {
      if (exchange_.request_head_done()) begin_exchange();
    } else if (phase_ == Phase::relaying) {
      pass_to_engine(piece->wire);
    } else if (phase_ == Phase::answering) {
      discarded_ += piece->taken;
    }
  }
  if (phase_ == Phase::relaying) {
    pass_to_engine({});  // a head without a body behind it
    if (phase_ == Phase::relaying && exchange_.request_complete()) {
      if (exchange_.response_complete()) finish_exchange();
    }
  } else if (phase_ == Phase::answering &&
             (exchange_.request_complete() || discarded_ > host_.limits().discard)) {
    send_answer();
  }
  return used;
}

void Session::hold(std::string_view bytes) {
  held_.append(bytes);
  if (held_.size() >= host_.limits().held) client_.pause(Stream::exchange);
}

// The bytes that waited for the end of the exchange before, or for the engine. In a turn of its
// own: a client that sends many small requests at once shall not starve the others.
void Session::take_held() {
  if (held_.empty()) return;
  host_.loop().defer([this, alive = std::weak_ptr<int>(lifetime_)] {
    if (alive.expired() || held_.empty() || phase_ == Phase::gone) return;
    const std::string bytes = std::exchange(held_, {});
    const std::size_t used = consume(bytes);
    if (phase_ == Phase::gone) return;
    held_.assign(bytes, used);
    if (held_.size() < host_.limits().held) client_.resume(Stream::exchange);
    watch_request();
    if (phase_ == Phase::reading && !held_.empty()) return take_held();
    if (client_eof_) {
      if (phase_ == Phase::relaying) pass_client_eof();
      if (phase_ == Phase::reading) close();
    }
  });
}

void Session::set_deadline(std::uint64_t after_ms) {
  deadline_ = after_ms == 0 ? 0 : host_.loop().now_ms() + after_ms;
  if (deadline_ != 0) host_.deadline_set(deadline_);
}

// After bytes of the client: how long it may take for the next ones.
void Session::watch_request() {
  const Limits& limits = host_.limits();
  if (phase_ == Phase::reading && exchange_.request_started()) {
    // From the first byte of the head: more bytes don't prolong it.
    if (idle_since_ != 0) {
      idle_since_ = 0;
      set_deadline(limits.head_ms);
    }
  } else if (phase_ == Phase::relaying || phase_ == Phase::answering) {
    const bool ours = phase_ == Phase::answering;
    set_deadline(exchange_.request_complete() ? 0 : ours ? limits.head_ms : limits.stall_ms);
  }
}

void Session::on_eof() {
  if (phase_ == Phase::gone) return;
  client_eof_ = true;
  switch (phase_) {
    case Phase::reading:
      if (held_.empty()) close();
      break;
    case Phase::relaying:
      pass_client_eof();
      break;
    case Phase::answering:
      send_answer();
      break;
    case Phase::closing:
      if (client_.queued() == 0) end();
      break;
    case Phase::waiting:
    case Phase::gone:
      break;
  }
}

// A client that ends its writing tells the engine so, behind its last byte: dockerd takes that as
// "the client has left" for a plain call, and as the end of standard input for a hijacked one. For
// the latter it must not come before the bytes that are to follow the switch.
void Session::pass_client_eof() {
  if (!engine_ || !head_sent_ || !held_.empty()) return;
  if (engine_api::hijackable(exchange_.route().call) && !exchange_.response_complete()) return;
  engine_->stream().shutdown_write();
}

void Session::on_drained() {
  switch (phase_) {
    case Phase::closing:
      if (client_eof_) {
        end();
      } else {
        set_deadline(host_.limits().linger_ms);
      }
      break;
    case Phase::relaying:
      if (engine_) engine_->stream().resume(Stream::backlog);
      break;
    case Phase::reading:
    case Phase::waiting:
    case Phase::answering:
    case Phase::gone:
      break;
  }
}

void Session::on_read_error(const Error&) { end(); }
void Session::on_write_error(const Error&) { end(); }

// ---- engine ------------------------------------------------------------------------------------

void Session::begin_exchange() {
  Counters& counters = host_.tally();
  ++counters.requests;
  idle_since_ = 0;
  discarded_ = 0;
  deadline_ = 0;
  const EngineGate& gate = host_.gate();
  switch (gate.state()) {
    case EngineGate::State::ready:
      bind_engine();
      break;
    case EngineGate::State::starting:
      engine_.reset();
      wait_for_engine(host_.limits().engine_wait_ms, {});
      break;
    case EngineGate::State::down:
      engine_.reset();
      answer(503, describe(gate));
      break;
  }
}

// Relaying, on the connection there is or a new one. The head is sent with the first piece of body.
void Session::bind_engine() {
  if (!engine_) {
    engine_ = host_.idle_engines().take();
    if (engine_) engine_->set_owner(*this);
  }
  engine_reused_ = engine_ != nullptr;
  if (!engine_) {
    auto connected = EngineConnection::connect(host_.loop(), host_.gate().socket_path(), *this);
    if (!connected.ok()) {
      // It is called ready: either it has just died, which the gate will tell, or its backlog is
      // full.
      wait_for_engine(host_.limits().reconnect_ms, std::move(connected).error().message);
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
  if (phase_ == Phase::reading && !engine.write_ended() && engine.queued() == 0 &&
      !engine.paused()) {
    host_.idle_engines().keep(std::move(engine_));
  }
  engine_.reset();
}

void Session::wait_for_engine(std::uint64_t limit_ms, std::string why) {
  Counters& counters = host_.tally();
  if (counters.waiting >= host_.limits().waiting) {
    answer(503, describe(host_.gate()) + " (too many requests wait for it)");
    return;
  }
  ++counters.waiting;
  phase_ = Phase::waiting;
  reason_ = std::move(why);
  client_.pause(Stream::engine_state);
  wait_until_ = host_.loop().now_ms() + limit_ms;
  watch_engine();
}

// The gate tells when the engine's state changes. When it is called ready and yet refuses, its
// backlog may be full, and nothing tells when that ends: then it is tried again.
void Session::watch_engine() {
  const std::uint64_t now = host_.loop().now_ms();
  const std::uint64_t left = wait_until_ > now ? wait_until_ - now : 0;
  const bool retry = host_.gate().state() == EngineGate::State::ready;
  set_deadline(std::max<std::uint64_t>(1, retry ? std::min(left, kReconnectEveryMs) : left));
}

void Session::leave_waiting() {
  --host_.tally().waiting;
  phase_ = Phase::reading;
  deadline_ = 0;
  client_.resume(Stream::engine_state);
}

void Session::engine_changed() {
  if (phase_ != Phase::waiting) return;
  const EngineGate& gate = host_.gate();
  switch (gate.state()) {
    case EngineGate::State::starting:
      // It was ready and has died: from here on it is a start like any other.
      wait_until_ = host_.loop().now_ms() + host_.limits().engine_wait_ms;
      reason_.clear();
      return watch_engine();
    case EngineGate::State::down:
      leave_waiting();
      answer(503, describe(gate));
      break;
    case EngineGate::State::ready:
      return retry_engine();
  }
  watch_request();
  take_held();
}

void Session::retry_engine() {
  const std::uint64_t wait_until = wait_until_;
  leave_waiting();
  bind_engine();
  if (phase_ == Phase::waiting) {
    // As before: trying does not prolong the wait.
    wait_until_ = std::min(wait_until, wait_until_);
    return watch_engine();
  }
  if (phase_ == Phase::relaying) {
    const std::string first = std::exchange(unsent_, {});
    pass_to_engine(first);
  }
  watch_request();
  if (client_eof_ && phase_ == Phase::relaying) pass_client_eof();
  take_held();
}

void Session::pass_to_engine(std::string_view bytes) {
  if (!engine_) return;
  Stream& engine = engine_->stream();
  if (!head_sent_) {
    engine.write(exchange_.request().raw, bytes);
    if (engine.write_ended() && engine_reused_) {
      // Stale: the engine closed it while it was idle, and has taken nothing of this request. So
      // any request may go to a new one.
      engine_.reset();
      host_.idle_engines().clear();
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
  if (engine.queued() > host_.limits().queue) client_.pause(Stream::backlog);
}

void Session::engine_drained() {
  client_.resume(Stream::backlog);
  if (phase_ == Phase::relaying) watch_request();
}

// It has closed while we send: its answer may be on the way. What still comes of the request is
// dropped by the stream; the client must be read, for it may only look at the answer afterwards.
void Session::engine_write_failed() { client_.resume(Stream::backlog); }

void Session::engine_data(std::string_view bytes) {
  if (phase_ != Phase::relaying || !head_sent_ || exchange_.response_complete()) {
    // Bytes that answer nothing: dockerd closing an idle connection with a 408, or worse.
    engine_.reset();
    if (phase_ == Phase::relaying) engine_lost();
    return;
  }
  // Pieces that lie side by side in `bytes` go out in one write: each write wakes the client.
  std::string_view out;
  while (!bytes.empty() && !exchange_.response_complete() && !exchange_.switched()) {
    const auto piece = exchange_.from_engine(bytes);
    if (!piece.ok()) {
      pass_to_client(out);
      log::warning("engine.bad_response", {{"session", id_}, {"reason", piece.error().message}});
      engine_.reset();
      if (relayed_) return close();
      return answer(502, "the Docker engine's answer is malformed: " + piece.error().message);
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
  if (exchange_.switched()) return switch_to_raw(bytes);
  if (client_.queued() > host_.limits().queue) engine_->stream().pause(Stream::backlog);
  if (!exchange_.response_complete()) return;
  if (!bytes.empty()) engine_.reset();  // more than one answer to one request
  if (exchange_.request_complete()) return finish_exchange();
  // An early answer. The engine may want the rest of the request, or not.
  if (!engine_ || !exchange_.engine_keeps_alive() || client_eof_) close();
}

void Session::pass_to_client(std::string_view bytes) {
  if (bytes.empty()) return;
  client_.write(bytes);
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
    if (!complete) log::warning("engine.truncated_response", {{"session", id_}});
    return close();
  }
  engine_.reset();
  if (engine_reused_ && !exchange_.response_started() && exchange_.repeatable()) {
    head_sent_ = false;
    host_.idle_engines().clear();  // so it is a new connection, and this happens once
    bind_engine();
    if (phase_ == Phase::relaying) pass_to_engine({});
    return;
  }
  std::string message = "the Docker engine closed the connection without an answer";
  if (host_.gate().state() != EngineGate::State::ready) {
    message.append("; ").append(describe(host_.gate()));
  }
  answer(502, std::move(message));
}

void Session::finish_exchange() {
  if (!exchange_.engine_keeps_alive()) engine_.reset();
  if (!exchange_.keep_alive() || draining_ || (client_eof_ && held_.empty())) return close();
  next_request();
}

void Session::next_request() {
  if (engine_) engine_->stream().resume(Stream::backlog);
  exchange_.reset();
  relayed_ = false;
  phase_ = Phase::reading;
  head_sent_ = false;
  idle_since_ = host_.loop().now_ms();
  set_deadline(host_.limits().idle_ms);
  client_.resume(Stream::exchange);
  take_held();
}

// The HTTP part is over: descriptors, what is queued for either side, and what came behind either
// head go to a Splice. A FIN that the client has sent is met again there.
void Session::switch_to_raw(std::string_view behind_head) {
  std::string to_client;
  std::string to_engine;
  UniqueFd client = client_.release(&to_client);
  UniqueFd engine = engine_->stream().release(&to_engine);
  to_client.append(behind_head);
  to_engine.append(held_);
  ++host_.tally().upgraded;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.switched", {{"session", id_}, {"target", exchange_.request().target}});
  }
  host_.session_switched(id_, std::move(client), std::move(to_client), std::move(engine),
                         std::move(to_engine));
  end();
}

// ---- our own answers ---------------------------------------------------------------------------

// Sends it when the request's body is out of the way: then the client can keep its connection. One
// that waits for "100 Continue", or has much to send, is told at once.
void Session::answer(int status, std::string message) {
  ++host_.tally().unavailable;
  phase_ = Phase::answering;
  answer_status_ = status;
  reason_ = std::move(message);
  client_.resume(Stream::backlog);
  if (exchange_.request_complete() || client_eof_ || exchange_.expects_continue() ||
      exchange_.request_length() > host_.limits().discard) {
    send_answer();
  }
}

void Session::send_answer() {
  const bool keep = exchange_.request_complete() && exchange_.client_keeps_alive() && !draining_ &&
                    !(client_eof_ && held_.empty());
  client_.write(
      engine_api::error_response(answer_status_, reason_, !keep, exchange_.head_request()));
  reason_.clear();
  unsent_.clear();
  if (keep) return next_request();
  close();
}

void Session::refuse(int status, std::string_view message) {
  ++host_.tally().refused;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.refused", {{"session", id_}, {"reason", message}});
  }
  // Within an answer that has begun, an end is all that can be said.
  if (!relayed_) {
    client_.write(engine_api::error_response(status, message, true));
  }
  close();
}

void Session::due() {
  deadline_ = 0;
  switch (phase_) {
    case Phase::reading:
      if (exchange_.request_started()) return refuse(408, "the request's head took too long");
      return end();
    case Phase::waiting:
      if (host_.loop().now_ms() < wait_until_) return retry_engine();
      leave_waiting();
      answer(503, reason_.empty() ? describe(host_.gate())
                                  : "the Docker engine does not take requests: " + reason_);
      watch_request();
      return take_held();
    case Phase::relaying:
      // Not the client's fault when the engine doesn't read.
      if (engine_ && engine_->stream().queued() > 0) return watch_request();
      return refuse(408, "the request's body stalled");
    case Phase::answering:
      return send_answer();
    case Phase::closing:
      return end();
    case Phase::gone:
      return;
  }
}

void Session::drain() {
  draining_ = true;
  if (idle()) close();
}

void Session::close() {
  if (phase_ == Phase::closing || phase_ == Phase::gone) return;
  if (phase_ == Phase::waiting) leave_waiting();
  release_engine();
  phase_ = Phase::closing;
  held_.clear();
  client_.shutdown_write();
  if (client_eof_ && client_.queued() == 0) return end();
  // All is read and dropped until the client has seen the end.
  for (const auto reason : {Stream::backlog, Stream::exchange, Stream::engine_state}) {
    client_.resume(reason);
  }
  set_deadline(client_.queued() > 0 ? host_.limits().stall_ms : host_.limits().linger_ms);
}

void Session::end() {
  if (phase_ == Phase::gone) return;
  if (phase_ == Phase::waiting) leave_waiting();
  release_engine();
  phase_ = Phase::gone;
  deadline_ = 0;
  host_.session_ended(id_);
}

}  // namespace causeway::proxy
