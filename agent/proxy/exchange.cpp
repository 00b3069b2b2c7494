#include "proxy/exchange.h"

#include "base/text.h"

namespace causeway::proxy {
namespace {

// Feeds until the head is there, the message is complete, or the input is used up, and gives one
// piece for it. The parser shows its own memory only for what began in an earlier input, so only at
// the begin of this one; all else lies side by side in `in`.
Result<Exchange::Piece> advance(http::Parser& parser, std::string_view in) {
  Exchange::Piece piece;
  const bool had_head = parser.head_done();
  while (piece.taken < in.size() && !parser.complete()) {
    const auto taken = parser.feed(in.substr(piece.taken));
    if (!taken.ok()) return taken.error();
    piece.taken += *taken;
    const std::string_view wire = parser.wire();
    if (!wire.empty()) {
      if (piece.wire.empty()) {
        piece.wire = wire;
      } else {
        piece.wire = {piece.wire.data(), piece.wire.size() + wire.size()};
      }
      const bool of_input = wire.data() >= in.data() && wire.data() < in.data() + in.size();
      if (!of_input) break;
    }
    if (parser.head_done() != had_head) break;
  }
  return piece;
}

// One step: pieces of content don't lie side by side.
Result<Exchange::Piece> advance_content(http::Parser& parser, std::string_view in) {
  const bool had_head = parser.head_done();
  const auto taken = parser.feed(in);
  if (!taken.ok()) return taken.error();
  return Exchange::Piece{*taken, had_head ? parser.body() : parser.wire()};
}

}  // namespace

Exchange::Exchange(const http::Limits& limits)
    : request_(http::Kind::request, limits), response_(http::Kind::response, limits) {}

Result<Exchange::Piece> Exchange::from_client(std::string_view in, Form form) {
  const bool had_head = request_.head_done();
  auto piece = form == Form::as_sent ? advance(request_, in) : advance_content(request_, in);
  if (piece.ok() && !had_head && request_.head_done()) {
    route_ = engine_api::route(request().method, request().target);
    response_.set_head_request(head_request());
  }
  return piece;
}

Result<Exchange::Piece> Exchange::from_engine(std::string_view in, Form form) {
  if (interim_) {
    response_.reset();
    response_.set_head_request(head_request());
    interim_ = false;
  }
  if (!in.empty()) response_started_ = true;
  const bool had_head = response_.head_done();
  auto piece = form == Form::as_sent ? advance(response_, in) : advance_content(response_, in);
  if (!piece.ok() || !response_.head_done()) return piece;
  if (!had_head) {
    const int status = response_.head().status;
    const bool hijackable = engine_api::hijackable(route_.call);
    if (status == 101) {
      if (!hijackable && !request_.upgrade()) return make_error("response: a 101 nobody asked for");
      switched_ = true;
      return piece;
    }
    if (status < 200) {
      interim_ = true;
      return piece;
    }
    if (hijackable && status == 200 && response_.framing() == http::Framing::until_close) {
      switched_ = true;
      return piece;
    }
  }
  response_complete_ = response_.complete();
  return piece;
}

bool Exchange::engine_ended() {
  if (response_complete_) return true;
  if (interim_ || !response_started_ || !response_.finish().ok()) return false;
  return response_complete_ = response_.complete();
}

bool Exchange::expects_continue() const {
  const auto value = request().find("expect");
  return value && text::iequals(*value, "100-continue");
}

bool Exchange::repeatable() const {
  return request_.complete() && request_.content_length().value_or(0) == 0 &&
         request_.framing() != http::Framing::chunked &&
         (request().method == "GET" || request().method == "HEAD");
}

void Exchange::reset() {
  request_.reset();
  response_.reset();
  route_ = {};
  response_started_ = response_complete_ = interim_ = switched_ = false;
}

}  // namespace causeway::proxy
