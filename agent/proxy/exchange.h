// Exchange is one request and its response, sans I/O: bytes of either side go in, and the same
// bytes come out as far as they are known to be good, together with what they mean. Both sides run
// independently: a response may come, and end, while the request is still being sent.
//
//   request:   head ──▶ body ──▶ complete
//   response:  nothing ──▶ (interim 1xx)* ──▶ head ──▶ body ──▶ complete
//                                              └──▶ switched: both directions are raw from here on
//
// Who may change its request or its answer is EditedExchange's to know.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "engine_api/route.h"
#include "http/parser.h"

namespace causeway::proxy {

class Exchange {
 public:
  explicit Exchange(const http::Limits& limits);

  struct Piece {
    std::size_t taken = 0;  // of the input
    std::string_view wire;  // to be passed on; valid until the next call of the same side
  };
  enum class Form {
    as_sent,
    content,  // of a body only what it carries, without the lines of chunks; heads are as sent
  };
  // Stops behind the head, and behind the request: what follows belongs to the next one, or to the
  // raw stream.
  Result<Piece> from_client(std::string_view in, Form form = Form::as_sent);
  // Stops behind each head, and behind the response.
  Result<Piece> from_engine(std::string_view in, Form form = Form::as_sent);
  // The engine has closed. Whether that completed the response.
  bool engine_ended();

  bool request_started() const { return request_.started(); }
  bool request_head_done() const { return request_.head_done(); }
  bool request_complete() const { return request_.complete(); }
  bool request_too_large() const { return request_.too_large(); }
  const http::Head& request() const { return request_.head(); }
  const engine_api::Route& route() const { return route_; }
  bool head_request() const { return request().method == "HEAD"; }
  bool expects_continue() const;
  std::uint64_t request_length() const { return request_.content_length().value_or(0); }

  // Any byte of it, interim ones included: from then on the engine has acted on the request.
  bool response_started() const { return response_started_; }
  // The head of the answer proper, not of an interim one.
  bool response_head_done() const { return response_.head_done() && !interim_; }
  const http::Head& response() const { return response_.head(); }
  bool response_complete() const { return response_complete_; }
  bool switched() const { return switched_; }

  // Whether it may be sent again after the engine's connection broke without a byte of an answer:
  // safe by definition (RFC 9110, 9.2.1), and nothing of it is lost.
  bool repeatable() const;
  // Both sides want to go on with this connection. After both are complete.
  bool keep_alive() const { return request_.keep_alive() && response_.keep_alive(); }
  bool client_keeps_alive() const { return request_.keep_alive(); }
  bool engine_keeps_alive() const { return response_.keep_alive(); }

  // Bytes of memory that both heads take.
  std::size_t held() const { return request_.held() + response_.held(); }

  // The next one of the same connection.
  void reset();

 private:
  http::Parser request_;
  http::Parser response_;
  engine_api::Route route_;
  bool response_started_ = false;
  bool response_complete_ = false;
  bool interim_ = false;  // a 1xx was given out; its parser is cleared when it is no longer viewed
  bool switched_ = false;
};

}  // namespace causeway::proxy
