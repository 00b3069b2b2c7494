#include "control/session.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "http/writer.h"

namespace causeway::control {
namespace {

// One system call's worth of log lines.
constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::string_view kLines = "application/x-ndjson";

http::Limits parser_limits(const Limits& limits) {
  http::Limits out;
  out.head = limits.head_bytes;
  out.target = limits.head_bytes;
  out.fields = 64;
  return out;
}

// How a wait ends: an empty text when what was asked for is reached, else why it never will be.
std::optional<std::string> outcome(control_api::Action action,
                                   const control_api::ServiceStatus& service) {
  switch (service.state) {
    case control_api::ServiceState::ready:
      if (action == control_api::Action::stop) return std::nullopt;
      return "";
    case control_api::ServiceState::failed:
    case control_api::ServiceState::invalid:
      if (action == control_api::Action::stop) return "";
      return service.name + ": " + (service.reason.empty() ? "failed" : service.reason);
    case control_api::ServiceState::off:
      if (action == control_api::Action::stop) return "";
      // Between the halves of a restart it may be seen off.
      if (action == control_api::Action::restart) return std::nullopt;
      return service.name + " was stopped meanwhile";
    case control_api::ServiceState::waiting:
    case control_api::ServiceState::starting:
    case control_api::ServiceState::stopping:
    case control_api::ServiceState::killing:
    case control_api::ServiceState::backing_off:
      return std::nullopt;
  }
  return std::nullopt;
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
  const Match match = control::match(parser_.head().method, parser_.head().target);
  if (match.route == nullptr)
    return answer(match.refusal, control_api::error_json(match.message), match.allow);
  switch (match.route->call) {
    case Call::status:
      return answer(200, control_api::to_json(owner_.backend().status()));
    case Call::version:
      return answer(200, control_api::version_json(CAUSEWAY_VERSION));
    case Call::logs:
      return start_logs(match);
    case Call::events:
      return start_events();
    case Call::act:
      return act(match);
    case Call::distros:
      return answer(200, control_api::distros_json(owner_.backend().status()));
    case Call::enable_distro:
      return enable_distro(match, true);
    case Call::disable_distro:
      return enable_distro(match, false);
    case Call::link:
      return answer(200, control_api::to_json(owner_.backend().link_contact()));
    case Call::clock:
      return step_clock();
  }
}

void Session::step_clock() {
  const auto unix_ms = control_api::unix_ms_from_json(body_);
  if (!unix_ms) return answer(400, control_api::error_json(unix_ms.error().message));
  const auto step = owner_.backend().step_clock(*unix_ms);
  if (step) return answer(200, control_api::to_json(*step));
  answer(step.error().code == EINVAL ? 400 : 409, control_api::error_json(step.error().message));
}

void Session::enable_distro(const Match& match, bool enabled) {
  log::info("control.distro", {{"distro", match.name}, {"enabled", enabled}});
  const auto done = owner_.backend().enable_distro(match.name, enabled);
  if (done) return answer(204, {});
  answer(done.error().code == ENOENT ? 404 : 409, control_api::error_json(done.error().message));
}

void Session::act(const Match& match) {
  if (!owner_.backend().has_service(match.name))
    return answer(404, control_api::error_json("no such service: " + match.name));
  const control_api::Action action = match.route->action;
  log::info("control.action", {{"service", match.name}, {"path", match.route->path}});
  if (auto begun = owner_.backend().perform(action, match.name); !begun)
    return answer(409, control_api::error_json(begun.error().message));
  const control_api::ProductStatus status = owner_.backend().status();
  if (match.number("wait", 0) == 0) {
    const auto* service = status.find(match.name);
    return answer(202, service == nullptr ? "{}" : control_api::to_json(*service));
  }
  action_ = action;
  awaited_ = match.name;
  phase_ = Phase::waiting;
  const auto seconds = match.number("timeout_s", owner_.limits().wait_s);
  deadline_.start(seconds * 1000, [this, seconds] {
    answer(504, control_api::error_json(awaited_ + " did not get there within " +
                                        std::to_string(seconds) + " s; it goes on"));
    consume();
  });
  check_wait(status);
}

void Session::check_wait(const control_api::ProductStatus& status) {
  const auto* service = status.find(awaited_);
  if (service == nullptr)
    return answer(404, control_api::error_json("the service is gone: " + awaited_));
  const auto end = outcome(action_, *service);
  if (!end) return;
  if (end->empty()) return answer(200, control_api::to_json(*service));
  answer(500, control_api::error_json(*end));
}

void Session::status_changed(const control_api::ProductStatus& status, const std::string& body) {
  if (retired_) return;
  if (phase_ == Phase::waiting) {
    check_wait(status);
    if (phase_ == Phase::request) consume();
  } else if (events_) {
    newest_status_ = body + '\n';
    pump();
  }
}

void Session::start_logs(const Match& match) {
  const auto named = match.query.find("service");
  const std::string service = named == match.query.end() ? "" : named->second;
  if (!service.empty() && !owner_.backend().has_service(service))
    return answer(404, control_api::error_json("no such service: " + service));
  follow_ = match.number("follow", 0) == 1;
  if (!start_stream()) return;
  followed_ = service;
  const std::uint64_t tail = match.number("tail", follow_ ? 100 : 1000);
  lines_limit_ = 0;
  for (const auto& line : owner_.backend().logs(service, tail, match.number("fresh", 0) == 1))
    queue_line(control_api::to_json(line) + '\n');
  // What is kept in memory anyway may be asked for; only what comes later can be dropped.
  lines_limit_ = lines_bytes_ + owner_.limits().follower_bytes;
  pump();
}

void Session::start_events() {
  follow_ = true;
  if (!start_stream()) return;
  events_ = true;
  newest_status_ = control_api::to_json(owner_.backend().status()) + '\n';
  pump();
}

bool Session::start_stream() {
  if (parser_.head().version < 11) {
    answer(400, control_api::error_json("an answer in pieces needs HTTP/1.1"));
    return false;
  }
  phase_ = Phase::streaming;
  stream_->write(http::write_chunked_head(200, kLines));
  return true;
}

void Session::log_line(std::string_view service, std::string_view line) {
  if (retired_ || phase_ != Phase::streaming || !follow_ || events_) return;
  if (!followed_.empty() && followed_ != service) return;
  queue_line(control_api::to_json(control_api::LogLine{std::string(service), std::string(line)}) +
             '\n');
  if (stream_->queued() == 0) pump();
}

void Session::queue_line(std::string line) {
  lines_bytes_ += line.size();
  lines_.push_back(std::move(line));
  while (lines_limit_ > 0 && lines_bytes_ > lines_limit_) {
    lines_bytes_ -= lines_.front().size();
    lines_.pop_front();
    ++dropped_;
  }
}

// Writes until the kernel takes no more; on_drained() goes on.
void Session::pump() {
  while (phase_ == Phase::streaming && !retired_ && stream_->queued() == 0) {
    std::string batch = std::exchange(newest_status_, {});
    if (dropped_ > 0)
      batch += control_api::dropped_json(followed_, std::exchange(dropped_, 0)) + '\n';
    while (!lines_.empty() && batch.size() < kBatchBytes) {
      batch += lines_.front();
      lines_bytes_ -= lines_.front().size();
      lines_.pop_front();
    }
    if (batch.empty()) return follow_ ? deadline_.stop() : end_stream();
    stream_->write(http::chunk(batch));
  }
  if (phase_ == Phase::streaming && !follow_)
    deadline_.start(owner_.limits().answer_ms, [this] { retire(); });
}

void Session::end_stream() {
  stream_->write(http::chunk({}));
  if (!keep_alive_) return leave();
  next_request();
}

void Session::answer(int status, std::string_view body, std::string_view allow) {
  http::Response response;
  response.status = status;
  response.body = body;
  response.keep_alive = keep_alive_;
  response.head_request = parser_.head_done() && parser_.head().method == "HEAD";
  if (!allow.empty()) response.fields.push_back({"Allow", allow});
  stream_->write(http::write(response));
  if (!keep_alive_) return leave();
  next_request();
}

void Session::refuse(int status, std::string_view message) {
  keep_alive_ = false;
  answer(status, control_api::error_json(message));
}

void Session::next_request() {
  phase_ = Phase::request;
  events_ = false;
  follow_ = false;
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

void Session::retire() {
  if (std::exchange(retired_, true)) return;
  deadline_.stop();
  stream_->pause(io::ByteStream::finished);
  owner_.retire(*this);
}

}  // namespace causeway::control
