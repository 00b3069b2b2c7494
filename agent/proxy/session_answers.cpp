// The answers that a session gives by itself.
#include <utility>

#include "base/log.h"
#include "engine_api/error_body.h"
#include "proxy/session.h"

namespace causeway::proxy {

using io::Stream;

// Sends it when the request's body is out of the way: then the client can keep its connection. One
// that waits for "100 Continue", or has much to send, is told at once.
void Session::answer(int status, std::string message) {
  ++(status < 500 ? owner_.session_counters().refused : owner_.session_counters().unavailable);
  edited_.reset();
  phase_ = Phase::answering;
  answer_ = {status, std::move(message)};
  client_->resume(Stream::backlog);
  if (exchange_.request_complete() || client_eof_ || exchange_.expects_continue() ||
      exchange_.request_length() > owner_.limits().discard) {
    send_answer();
  }
}

void Session::send_answer() {
  const bool keep = exchange_.request_complete() && exchange_.client_keeps_alive() && !draining_ &&
                    !(client_eof_ && held_.empty());
  client_->write(
      engine_api::error_response(answer_.status, answer_.message, !keep, exchange_.head_request()));
  answer_ = {};
  unsent_.clear();
  if (keep) return next_request();
  close();
}

void Session::refuse(int status, std::string_view message) {
  ++owner_.session_counters().refused;
  if (log::enabled(log::Level::debug)) {
    log::debug("session.refused", {{"session", id_}, {"reason", message}});
  }
  // Within an answer that has begun, an end is all that can be said.
  if (!relayed_) {
    client_->write(engine_api::error_response(status, message, true));
  }
  close();
}

}  // namespace causeway::proxy
