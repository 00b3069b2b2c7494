// A session's request that an editor may want to change, before the engine gets it. What is
// changed, and by whom, is EditedExchange's.
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
  switch (edited_.need()) {
    case EditedExchange::Need::nothing:
      return bind_engine();
    case EditedExchange::Need::body:
      return begin_body();
    case EditedExchange::Need::editors:
      return ask_editors();
  }
}

void Session::begin_body() {
  phase_ = Phase::collecting;
  if (refused(edited_.announce(exchange_.request_length()))) return;
  // dockerd would say so when it begins to read the body (RFC 9110, 10.1.1).
  if (exchange_.expects_continue() && exchange_.request().version >= 11) {
    client_->write("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void Session::collect(std::string_view content) {
  if (refused(edited_.collect(content))) return;
  if (exchange_.request_complete()) ask_editors();
}

void Session::ask_editors() {
  auto outcome = edited_.ask([this](EditedExchange::Refusal refusal) {
    client_->resume(Stream::waiting);
    editors_answered(std::move(refusal));
    go_on();
  });
  if (outcome) {
    editors_answered(std::move(*outcome));
    return pass_prepared();
  }
  phase_ = Phase::asking;
  deadline_ = 0;
  client_->pause(Stream::waiting);
}

// The engine may have gone meanwhile: then the request waits, or is refused, as any other.
void Session::editors_answered(EditedExchange::Refusal refusal) {
  if (!refused(std::move(refusal))) to_engine();
}

// Whether there was a refusal, which is answered then.
bool Session::refused(EditedExchange::Refusal refusal) {
  if (!refusal) return false;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.edit_refused", {{"session", id_},
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
  if (!edited_.collected()) return;
  int pieces = 0;
  while (phase_ == Phase::relaying && engine_ && !engine_->stream().write_ended() &&
         engine_->stream().queued() <= queue_limit() && !edited_.body_sent()) {
    if (++pieces > kPiecesPerTurn) {
      owner_.loop().defer(lifetime_.guard([this] { pass_prepared(); }));
      return;
    }
    const auto piece = edited_.next_piece();
    if (!piece.ok()) {
      engine_.reset();
      if (relayed_) return close();
      return answer(500, "the request's body is lost: " + piece.error().message);
    }
    pass_to_engine(*piece);
  }
  if (phase_ == Phase::relaying && client_eof_) pass_client_eof();
}

}  // namespace causeway::proxy
