// A session's exchange whose call has paths: before the engine gets the request, and what comes
// back. What is mapped, and how, is MappedExchange's.
#include <utility>

#include "base/log.h"
#include "proxy/session.h"

namespace causeway::proxy {

using io::Stream;

namespace {
// Of 64 KiB: less than a millisecond.
constexpr int kPiecesPerTurn = 8;
}  // namespace

// The engine is ready for the request; whether the request is, is seen here.
void Session::proceed() {
  if (mapped_ && mapped_->need() != MappedExchange::Need::nothing) return prepare();
  bind_engine();
}

void Session::prepare() {
  if (refused(mapped_->begin())) return;
  switch (mapped_->need()) {
    case MappedExchange::Need::body:
      phase_ = Phase::collecting;
      // dockerd would say so when it begins to read the body (RFC 9110, 10.1.1).
      if (exchange_.expects_continue() && exchange_.request().version >= 11) {
        client_->write("HTTP/1.1 100 Continue\r\n\r\n");
      }
      break;
    case MappedExchange::Need::paths:
      ask_paths();
      break;
    case MappedExchange::Need::begin:
    case MappedExchange::Need::nothing:
      bind_engine();
      break;
  }
}

void Session::collect(std::string_view content) {
  if (refused(mapped_->collect(content)) || !exchange_.request_complete()) return;
  if (mapped_->need() == MappedExchange::Need::paths) return ask_paths();
  phase_ = Phase::reading;
  to_engine();
  if (phase_ == Phase::relaying) pass_prepared();
}

void Session::ask_paths() {
  phase_ = Phase::asking;
  deadline_ = 0;
  client_->pause(Stream::waiting);
  mapped_->ask([this](MappedExchange::Refusal refusal) { paths_answered(std::move(refusal)); });
}

// The engine may have gone meanwhile: then the request waits, or is refused, as any other.
void Session::paths_answered(MappedExchange::Refusal refusal) {
  phase_ = Phase::reading;
  client_->resume(Stream::waiting);
  if (!refused(std::move(refusal))) to_engine();
  go_on();
}

// Whether there was a refusal, which is answered then.
bool Session::refused(MappedExchange::Refusal refusal) {
  if (!refusal) return false;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.paths_refused", {{"session", id_},
                                         {"identity", identity_.name},
                                         {"status", refusal.status},
                                         {"reason", refusal.message}});
  }
  answer(refusal.status, std::move(refusal.message));
  return true;
}

// Writes what the engine takes of a body that was collected. An engine that takes it as fast as it
// is written shall not keep the other clients waiting: then the rest has a turn of its own.
void Session::pass_prepared() {
  PreparedRequest* const body = mapped_ ? mapped_->body() : nullptr;
  if (body == nullptr) return;
  int pieces = 0;
  while (phase_ == Phase::relaying && engine_ && !engine_->stream().write_ended() &&
         engine_->stream().queued() <= host_.limits().queue && !body->sent()) {
    if (++pieces > kPiecesPerTurn) {
      host_.loop().defer(lifetime_.guard([this] { pass_prepared(); }));
      return;
    }
    const auto piece = body->next();
    if (!piece.ok()) {
      engine_.reset();
      if (relayed_) return close();
      return answer(500, "the request's body is lost: " + piece.error().message);
    }
    pass_to_engine(*piece);
  }
  if (phase_ == Phase::relaying && client_eof_) pass_client_eof();
}

// As pass_answer(), for an answer with paths.
bool Session::pass_rewritten(std::string_view* in) {
  RewrittenResponse& response = *mapped_->response();
  while (!in->empty() && !exchange_.response_complete() && !exchange_.switched()) {
    const bool had_head = exchange_.response_head_done();
    const auto piece = exchange_.from_engine(*in, Exchange::Form::content);
    if (!piece.ok()) {
      if (response.begun()) response.end(false);
      pass_to_client(response.take());
      bad_answer(piece.error().message);
      return false;
    }
    in->remove_prefix(piece->taken);
    if (had_head) {
      response.add(piece->wire);
    } else if (exchange_.response_head_done() && !exchange_.response_complete()) {
      response.begin(exchange_.response(), exchange_.request().version);
    } else if (!exchange_.switched()) {
      pass_to_client(piece->wire);
    }
  }
  if (exchange_.switched()) {
    // A raw stream would pass paths as they are, for ever.
    bad_answer("a switch of protocols on a call with paths");
    return false;
  }
  if (response.begun() && exchange_.response_complete()) response.end(true);
  pass_to_client(response.take());
  return true;
}

}  // namespace causeway::proxy
