#include "control/session.h"

#include <utility>

#include "http/writer.h"

namespace causeway::control {
namespace {

// One system call's worth of log lines.
constexpr std::size_t kBatchBytes = std::size_t{64} * 1024;
constexpr std::string_view kLines = "application/x-ndjson";

http::Limits parser_limits(const Limits& limits) {
  http::Limits out;
  out.head = limits.head_bytes;
  out.target = limits.head_bytes;
  out.fields = 64;
  return out;
}

}  // namespace

Session::Session(Owner& owner, io::Loop& loop, std::unique_ptr<io::ByteStream> connection)
    : owner_(owner),
      parser_(http::Kind::request, parser_limits(owner.limits())),
      deadline_(loop),
      stream_(std::move(connection)) {
  stream_->set_handler(this);
  stream_->watch_hangup(true);
  next_request();
  stream_->resume(io::ByteStream::not_started);
}

Session::~Session() { let_go(); }

void Session::on_data(std::string_view bytes) {
  if (retired_ || phase_ == Phase::leaving) return;
  unread_ += bytes;
  consume();
}

void Session::consume() {
  while (phase_ == Phase::request && !retired_ && !unread_.empty() && stream_->queued() == 0) {
    if (!parser_.started())
      deadline_.start(owner_.limits().request_ms,
                      [this] { refuse(408, "the request did not come to its end in time"); });
    auto taken = parser_.feed(unread_);
    if (!taken) return refuse(400, taken.error().message);
    body_ += parser_.body();
    unread_.erase(0, *taken);
    if (body_.size() > owner_.limits().body_bytes ||
        (parser_.head_done() && parser_.content_length().value_or(0) > owner_.limits().body_bytes))
      return refuse(413, "the body is larger than any request needs");
    if (parser_.complete()) handle();
  }
  if (phase_ != Phase::request) stream_->pause(io::ByteStream::ahead);
  if (phase_ == Phase::request && stream_->queued() > 0) {
    // Whoever doesn't take its answers gets no further ones.
    stream_->pause(io::ByteStream::backlog);
    deadline_.start(owner_.limits().answer_ms, [this] { retire(); });
  }
}

void Session::handle() {
  deadline_.stop();
  keep_alive_ = parser_.keep_alive();
  Match match = owner_.calls().match(parser_.head().method, parser_.head().target);
  if (match.call == nullptr) return answer(match.refusal, match.allow);
  if (match.call->route.lines && parser_.head().version < 11)
    return answer(refusal(400, "an answer in pieces needs HTTP/1.1"));
  match.request.body = std::move(body_);
  std::visit([this](auto form) { take(std::move(form)); }, match.call->handler(match.request));
}

void Session::take(const Reply& reply) { answer(reply); }

void Session::take(std::shared_ptr<Later> later) {
  if (later->reply_) return answer(*later->reply_);
  later_ = std::move(later);
  later_->session_ = this;
  phase_ = Phase::waiting;
  deadline_.start(later_->limit_ms_, [this] { later_->reply(later_->late_); });
}

void Session::replied() {
  const auto later = later_;
  let_go();
  answer(*later->reply_);
  consume();
}

void Session::take(std::shared_ptr<Lines> lines) {
  lines_ = std::move(lines);
  lines_->session_ = this;
  phase_ = Phase::streaming;
  stream_->write(http::write_chunked_head(200, kLines));
  pump();
}

void Session::lines_changed() {
  pump();
  if (phase_ == Phase::request) consume();
}

// Writes until the kernel takes no more; on_drained() goes on.
void Session::pump() {
  while (phase_ == Phase::streaming && !retired_ && stream_->queued() == 0) {
    const std::string batch = lines_->take(kBatchBytes);
    if (batch.empty()) return lines_->ended_ ? end_stream() : deadline_.stop();
    stream_->write(http::chunk(batch));
  }
  if (phase_ == Phase::streaming && !retired_ && lines_->ended_)
    deadline_.start(owner_.limits().answer_ms, [this] { retire(); });
}

void Session::end_stream() {
  let_go();
  stream_->write(http::chunk({}));
  if (!keep_alive_) return leave();
  next_request();
}

void Session::answer(const Reply& reply, std::string_view allow) {
  http::Response response;
  response.status = reply.status;
  response.body = reply.json;
  response.keep_alive = keep_alive_;
  response.head_request = parser_.head_done() && parser_.head().method == "HEAD";
  if (!allow.empty()) response.fields.push_back({"Allow", allow});
  stream_->write(http::write(response));
  if (!keep_alive_) return leave();
  next_request();
}

void Session::refuse(int status, std::string_view message) {
  keep_alive_ = false;
  answer(refusal(status, message));
}

void Session::next_request() {
  phase_ = Phase::request;
  parser_.reset();
  body_.clear();
  deadline_.start(owner_.limits().idle_ms, [this] { retire(); });
  stream_->resume(io::ByteStream::ahead);
}

void Session::leave() {
  phase_ = Phase::leaving;
  stream_->shutdown_write();
  if (stream_->queued() == 0) return retire();
  deadline_.start(owner_.limits().answer_ms, [this] { retire(); });
}

void Session::on_eof() {
  // Between requests that is the usual end. Reading is paused while an answer is on its way.
  if (phase_ != Phase::leaving) retire();
}

void Session::on_drained() {
  if (phase_ == Phase::leaving) return retire();
  if (phase_ == Phase::streaming) pump();
  if (phase_ != Phase::request) return;
  stream_->resume(io::ByteStream::backlog);
  if (!parser_.started()) deadline_.start(owner_.limits().idle_ms, [this] { retire(); });
  consume();
}

void Session::on_read_error(const Error&) { retire(); }
void Session::on_write_error(const Error&) { retire(); }

void Session::let_go() {
  if (later_) later_->session_ = nullptr;
  if (lines_) lines_->session_ = nullptr;
  later_.reset();
  lines_.reset();
}

void Session::retire() {
  if (std::exchange(retired_, true)) return;
  deadline_.stop();
  stream_->pause(io::ByteStream::finished);
  const auto lines = lines_;
  let_go();
  if (lines && !lines->ended_ && lines->gone_) lines->gone_();
  owner_.retire(*this);
}

}  // namespace causeway::control
