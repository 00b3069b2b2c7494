#include "proxy/session.h"

#include <utility>

#include "base/log.h"

namespace causeway::proxy {

using io::Stream;

Session::Session(Owner& owner, std::uint64_t id, Quota::Holder endpoint,
                 const paths::Identity& identity, std::unique_ptr<io::ByteStream> client)
    : owner_(owner),
      id_(id),
      identity_(identity),
      idle_since_(owner.loop().now_ms()),
      heard_ms_(idle_since_),
      memory_(owner.quotas().memory, endpoint),
      waiting_(owner.quotas().waiting, endpoint),
      exchange_(owner.limits().http),
      edited_(exchange_, identity, owner.editors(), owner.limits(), owner.quotas(), endpoint),
      client_(std::move(client)) {
  if (log::enabled(log::Level::debug)) {
    log::debug("session.begin", {{"session", id_}, {"identity", identity_.name}});
  }
  set_deadline(owner_.limits().idle_ms);
  client_->set_handler(this);
  client_->watch_hangup(true);
  client_->resume(Stream::not_started);
}

Session::~Session() = default;

// ---- client ------------------------------------------------------------------------------------

void Session::on_data(std::string_view bytes) {
  if (phase_ == Phase::closing || phase_ == Phase::gone) return;  // dropped
  heard(bytes.size());
  if (phase_ == Phase::waiting || phase_ == Phase::asking || !held_.empty()) {
    hold(bytes);
    return limit_memory();
  }
  const std::size_t used = consume(bytes);
  if (used < bytes.size() && phase_ != Phase::gone) {
    hold(bytes.substr(used));
    if (phase_ == Phase::reading) take_held();  // the exchange before ended within these bytes
  }
  limit_memory();
  watch_request();
}

// A client that sends a byte from time to time is as good as silent.
void Session::heard(std::size_t bytes) {
  heard_bytes_ += bytes;
  if (heard_bytes_ < owner_.limits().pressed_bytes) return;
  heard_bytes_ = 0;
  heard_ms_ = owner_.loop().now_ms();
}

// What it holds for its client, and for the engine; a body that is collected counts itself.
bool Session::count_memory() {
  std::size_t held = exchange_.held() + held_.capacity() + unsent_.capacity();
  if (client_) held += client_->queued();
  if (engine_) held += engine_->stream().queued();
  return memory_.set(held > owner_.limits().free_memory ? held : 0);
}

void Session::limit_memory() {
  if (phase_ == Phase::gone || phase_ == Phase::closing || count_memory()) return;
  ++owner_.session_counters().refused;
  if (phase_ != Phase::reading) return end();  // within an exchange no answer has a place
  refuse(503, "there is no room for the request's head: too many large requests at once");
}

// A queue longer than this pauses who fills it.
std::size_t Session::queue_limit() const {
  return owner_.quotas().memory.half_used() ? 0 : owner_.limits().queue;
}

bool Session::awaits_client() const {
  switch (phase_) {
    case Phase::reading:
      return exchange_.request_started();
    case Phase::collecting:
    case Phase::answering:
      return !exchange_.request_complete();
    case Phase::relaying:
      // Not the client's fault when the engine doesn't read.
      return !exchange_.request_complete() && !(engine_ && engine_->stream().queued() > 0);
    case Phase::waiting:
    case Phase::asking:
    case Phase::closing:
    case Phase::gone:
      break;
  }
  return false;
}

std::uint64_t Session::gives_way_at() const {
  // One that has just come has not had the time to speak.
  if (idle()) return idle_since_ + owner_.limits().linger_ms;
  const bool stalls = awaits_client() || phase_ == Phase::closing;
  return stalls ? heard_ms_ + owner_.limits().pressed_ms : 0;
}

void Session::give_way() {
  if (idle() || phase_ == Phase::closing) return drop();
  if (phase_ == Phase::answering) {
    send_answer();
  } else {
    refuse(408, "the request has stalled, and others wait for its connection");
  }
  // The client has sent nothing that it could be reset for: it needs no time.
  if (phase_ == Phase::closing && client_->queued() == 0) end();
}

// Takes what belongs to the present request; the rest must wait for its turn.
std::size_t Session::consume(std::string_view in) {
  std::size_t used = 0;
  while (used < in.size()) {
    if (phase_ == Phase::closing || phase_ == Phase::gone) return in.size();
    if (phase_ == Phase::waiting || phase_ == Phase::asking) break;
    if (exchange_.request_complete()) break;
    const bool had_head = exchange_.request_head_done();
    const auto piece = exchange_.from_client(in.substr(used), phase_ == Phase::collecting
                                                                  ? Exchange::Form::content
                                                                  : Exchange::Form::as_sent);
    if (!piece.ok()) {
      refuse(exchange_.request_too_large() ? 431 : 400, piece.error().message);
      return in.size();
    }
    used += piece->taken;
    if (!had_head) {
      if (exchange_.request_head_done()) begin_exchange();
    } else if (phase_ == Phase::relaying) {
      pass_to_engine(piece->wire);
    } else if (phase_ == Phase::collecting) {
      collect(piece->wire);
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
             (exchange_.request_complete() || discarded_ > owner_.limits().discard)) {
    send_answer();
  }
  return used;
}

void Session::hold(std::string_view bytes) {
  held_.append(bytes);
  if (held_.size() >= owner_.limits().held) client_->pause(Stream::ahead);
}

// The bytes that waited for the end of the exchange before, or for the engine. In a turn of its
// own: a client that sends many small requests at once shall not starve the others.
void Session::take_held() {
  if (held_.empty()) return;
  owner_.loop().defer(lifetime_.guard([this] {
    if (held_.empty() || phase_ == Phase::gone) return;
    const std::string bytes = std::exchange(held_, {});
    const std::size_t used = consume(bytes);
    if (phase_ == Phase::gone) return;
    held_.assign(bytes, used);
    count_memory();
    if (held_.size() < owner_.limits().held) client_->resume(Stream::ahead);
    watch_request();
    if (phase_ == Phase::reading && !held_.empty()) return take_held();
    if (client_eof_) client_ended();
  }));
}

void Session::set_deadline(std::uint64_t after_ms) {
  deadline_ = after_ms == 0 ? 0 : owner_.loop().now_ms() + after_ms;
  if (deadline_ != 0) owner_.deadline_set(deadline_);
}

// After bytes of the client: how long it may take for the next ones.
void Session::watch_request() {
  const Limits& limits = owner_.limits();
  if (phase_ == Phase::reading && exchange_.request_started()) {
    // From the first byte of the head: more bytes don't prolong it.
    if (idle_since_ != 0) {
      idle_since_ = 0;
      heard_ms_ = owner_.loop().now_ms();
      set_deadline(limits.head_ms);
    }
  } else if (phase_ == Phase::relaying || phase_ == Phase::answering ||
             phase_ == Phase::collecting) {
    const bool ours = phase_ == Phase::answering;
    set_deadline(exchange_.request_complete() ? 0 : ours ? limits.head_ms : limits.stall_ms);
  }
}

void Session::on_eof() {
  client_eof_ = true;
  client_ended();
}

// The client has ended its writing: what that means for the request that is at hand.
void Session::client_ended() {
  switch (phase_) {
    case Phase::reading:
      if (held_.empty()) close();
      break;
    case Phase::collecting:
      // Nobody else can answer: the engine gets whole requests of this call only.
      if (held_.empty()) refuse(400, "the request's body ended early");
      break;
    case Phase::relaying:
      pass_client_eof();
      break;
    case Phase::answering:
      send_answer();
      break;
    case Phase::closing:
      if (client_->queued() == 0) end();
      break;
    case Phase::waiting:
    case Phase::asking:
    case Phase::gone:
      break;
  }
}

// A client that ends its writing tells the engine so, behind its last byte: dockerd takes that as
// "the client has left" for a plain call, and as the end of standard input for a hijacked one. For
// the latter it must not come before the bytes that are to follow the switch.
void Session::pass_client_eof() {
  if (!engine_ || !head_sent_ || !held_.empty()) return;
  if (!edited_.body_sent()) return;
  if (engine_api::hijackable(exchange_.route().call) && !exchange_.response_complete()) return;
  engine_->stream().shutdown_write();
}

void Session::on_drained() {
  switch (phase_) {
    case Phase::closing:
      if (client_eof_ || client_satisfied()) {
        end();
      } else {
        set_deadline(owner_.limits().linger_ms);
      }
      break;
    case Phase::relaying:
      if (engine_) engine_->stream().resume(Stream::backlog);
      break;
    case Phase::reading:
    case Phase::waiting:
    case Phase::collecting:
    case Phase::asking:
    case Phase::answering:
    case Phase::gone:
      break;
  }
  limit_memory();
}

void Session::on_read_error(const Error&) { end(); }
void Session::on_write_error(const Error&) { end(); }

// ---- exchanges ----

void Session::begin_exchange() {
  Counters& counters = owner_.session_counters();
  ++counters.requests;
  idle_since_ = 0;
  heard_ms_ = owner_.loop().now_ms();
  discarded_ = 0;
  deadline_ = 0;
  edited_.begin();
  to_engine();
}

// The request is for the engine, in whatever state that is. Each way leads to another phase.
void Session::to_engine() {
  switch (owner_.gate().admit()) {
    case EngineGate::Admission::go_on:
      proceed();
      break;
    case EngineGate::Admission::wait:
      engine_.reset();
      wait_for_engine(owner_.limits().engine_wait_ms, {});
      break;
    case EngineGate::Admission::refuse:
      engine_.reset();
      answer(503, describe(owner_.gate()));
      break;
  }
}

void Session::finish_exchange() {
  // An early answer leaves the rest of a body behind that nobody will send.
  const bool whole = edited_.body_sent();
  if (!exchange_.engine_keeps_alive() || !whole) engine_.reset();
  if (!whole) client_->resume(Stream::backlog);
  const bool keeps = exchange_.keep_alive() && !edited_.closes();
  if (!keeps || draining_ || (client_eof_ && held_.empty())) return close();
  next_request();
}

void Session::next_request() {
  if (engine_) engine_->stream().resume(Stream::backlog);
  edited_.reset();
  exchange_.reset();
  relayed_ = false;
  phase_ = Phase::reading;
  head_sent_ = false;
  count_memory();
  owner_.memory_given_back();
  idle_since_ = heard_ms_ = owner_.loop().now_ms();
  heard_bytes_ = 0;
  set_deadline(owner_.limits().idle_ms);
  client_->resume(Stream::ahead);
  take_held();
}

void Session::due() {
  deadline_ = 0;
  switch (phase_) {
    case Phase::reading:
      if (exchange_.request_started()) return refuse(408, "the request's head took too long");
      return end();
    case Phase::waiting:
      if (owner_.loop().now_ms() < wait_.until) return retry_engine();
      leave_waiting();
      answer(503, wait_.refused.empty()
                      ? describe(owner_.gate())
                      : "the Docker engine does not take requests: " + wait_.refused);
      watch_request();
      return take_held();
    case Phase::collecting:
      return refuse(408, "the request's body stalled");
    case Phase::relaying:
      // Not the client's fault when the engine doesn't read.
      if (!awaits_client()) return watch_request();
      return refuse(408, "the request's body stalled");
    case Phase::answering:
      return send_answer();
    case Phase::closing:
      return end();
    case Phase::asking:
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
  heard_ms_ = owner_.loop().now_ms();
  held_.clear();
  edited_.reset();
  client_->shutdown_write();
  if ((client_eof_ || client_satisfied()) && client_->queued() == 0) return end();
  // All is read and dropped until the client has seen the end.
  client_->resume_all();
  set_deadline(client_->queued() > 0 ? owner_.limits().stall_ms : owner_.limits().linger_ms);
}

// It has said all that it wants to, and gets the end behind the last byte however it is closed.
bool Session::client_satisfied() const {
  return exchange_.request_complete() && client_->closes_in_order();
}

void Session::end() {
  if (phase_ == Phase::gone) return;
  if (phase_ == Phase::waiting) leave_waiting();
  release_engine();
  phase_ = Phase::gone;
  deadline_ = 0;
  edited_.reset();
  owner_.session_ended(id_);
}

}  // namespace causeway::proxy
