#include "http_client/http_client.h"

#include <utility>

#include "http/parser.h"
#include "http/writer.h"
#include "io/endpoint.h"
#include "io/stream.h"
#include "io/timer.h"

namespace causeway::http_client {

class HttpClient::Call final : private io::Stream::Handler {
 public:
  Call(HttpClient& client, std::uint64_t id, std::string what, UniqueFd connection, Done done)
      : client_(client),
        id_(id),
        what_(std::move(what)),
        done_(std::move(done)),
        limit_(client.loop_),
        stream_(client.loop_, std::move(connection), this) {}

  void begin(const std::string& request, std::uint64_t limit_ms) {
    if (limit_ms > 0) limit_.start(limit_ms, [this] { fail("no answer in time"); });
    stream_.write(request);
    stream_.resume(io::Stream::not_started);
  }
  Done take_done() { return std::exchange(done_, nullptr); }

 private:
  void on_data(std::string_view bytes) override {
    while (!bytes.empty() && !parser_.complete()) {
      const auto taken = parser_.feed(bytes);
      if (!taken) return fail(taken.error().message);
      reply_.body += parser_.body();
      if (reply_.body.size() > kMostBody) return fail("the answer is too large");
      bytes.remove_prefix(*taken);
    }
    if (parser_.complete()) complete();
  }
  void on_eof() override {
    if (parser_.finish().ok() && parser_.complete()) return complete();
    fail("the connection was closed without a whole answer");
  }
  void on_drained() override {}
  void on_read_error(const Error& error) override { fail(error.message); }
  void on_write_error(const Error& error) override { fail(error.message); }

  // Both destroy this.
  void complete() {
    reply_.status = parser_.head().status;
    client_.finish(id_, std::move(reply_));
  }
  void fail(std::string_view why) {
    client_.finish(id_, make_error(what_ + ": " + std::string(why)));
  }

  HttpClient& client_;
  const std::uint64_t id_;
  const std::string what_;
  Done done_;
  Reply reply_;
  http::Parser parser_{http::Kind::response};
  io::Timer limit_;
  io::Stream stream_;  // last: stops first
};

class HttpClient::Follower final : private io::Stream::Handler {
 public:
  Follower(HttpClient& client, std::uint64_t id, std::string what, UniqueFd connection,
           OnLine on_line, Ended at_end, Begun begun)
      : ended(std::move(at_end)),
        client_(client),
        id_(id),
        what_(std::move(what)),
        on_line_(std::move(on_line)),
        begun_(std::move(begun)),
        stream_(client.loop_, std::move(connection), this) {}

  void begin(const std::string& request) {
    stream_.write(request);
    stream_.resume(io::Stream::not_started);
  }
  Ended ended;

 private:
  void on_data(std::string_view bytes) override {
    while (!bytes.empty() && !parser_.complete()) {
      const auto taken = parser_.feed(bytes);
      if (!taken) return end(taken.error().message);
      if (parser_.head_done() && parser_.head().status != 200)
        return end("status " + std::to_string(parser_.head().status));
      if (parser_.head_done() && !tell_begun()) return;
      rest_ += parser_.body();
      if (rest_.size() > kMostLine && rest_.find('\n') == std::string::npos)
        return end("a line is too long");
      bytes.remove_prefix(*taken);
      if (!give_lines()) return;
    }
    if (parser_.complete()) end("it ended");
  }
  // Both: false when the one who was told has ended this.
  bool tell_begun() {
    const auto begun = std::exchange(begun_, nullptr);
    if (!begun) return true;
    const auto alive = lifetime_.watch();
    begun();
    return !alive.ended();
  }
  bool give_lines() {
    for (auto at = rest_.find('\n'); at != std::string::npos; at = rest_.find('\n')) {
      const std::string line = rest_.substr(0, at);
      rest_.erase(0, at + 1);
      const auto alive = lifetime_.watch();
      const auto on_line = on_line_;  // it may end this, and itself
      on_line(line);
      if (alive.ended()) return false;
    }
    return true;
  }
  void on_eof() override { end("the connection was closed"); }
  void on_drained() override {}
  void on_read_error(const Error& error) override { end(error.message); }
  void on_write_error(const Error& error) override { end(error.message); }
  void end(const std::string& why) { client_.end_follower(id_, make_error(what_ + ": " + why)); }

  static constexpr std::size_t kMostLine = std::size_t{1} << 20;  // an event carries all labels

  HttpClient& client_;
  const std::uint64_t id_;
  const std::string what_;
  OnLine on_line_;
  Begun begun_;
  std::string rest_;
  http::Parser parser_{http::Kind::response};
  Lifetime lifetime_;
  io::Stream stream_;  // last: stops first
};

HttpClient::HttpClient(io::Loop& loop, std::string socket_path)
    : loop_(loop), socket_path_(std::move(socket_path)) {}

HttpClient::~HttpClient() = default;

void HttpClient::call(std::string_view method, const std::string& target, std::uint64_t limit_ms,
                      Done done) {
  std::string what = std::string(method) + " " + target;
  auto connection = io::connect_unix(socket_path_);
  if (!connection) {
    loop_.defer(lifetime_.guard(
        [done = std::move(done), error = std::move(connection).error().with(what)]() mutable {
          done(std::move(error));
        }));
    return;
  }
  http::Request request;
  request.method = method;
  request.target = target;
  const std::uint64_t id = next_++;
  auto& call = calls_[id];
  call =
      std::make_unique<Call>(*this, id, std::move(what), *std::move(connection), std::move(done));
  call->begin(http::write(request), limit_ms);
}

std::uint64_t HttpClient::follow(const std::string& target, OnLine on_line, Ended ended,
                                 Begun begun) {
  std::string what = "GET " + target;
  const std::uint64_t id = next_++;
  auto connection = io::connect_unix(socket_path_);
  if (!connection) {
    loop_.defer(
        lifetime_.guard([ended = std::move(ended),
                         error = std::move(connection).error().with(what)] { ended(error); }));
    return id;
  }
  http::Request request;
  request.target = target;
  auto& follower = followers_[id];
  follower = std::make_unique<Follower>(*this, id, std::move(what), *std::move(connection),
                                        std::move(on_line), std::move(ended), std::move(begun));
  follower->begin(http::write(request));
  return id;
}

void HttpClient::unfollow(std::uint64_t id) { followers_.erase(id); }

void HttpClient::end_follower(std::uint64_t id, const Error& why) {
  const auto found = followers_.find(id);
  if (found == followers_.end()) return;
  const auto follower = std::move(found->second);  // lives until the end of this
  followers_.erase(found);
  follower->ended(why);
}

void HttpClient::finish(std::uint64_t id, Result<Reply> result) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const auto call = std::move(found->second);  // lives until the end of this
  calls_.erase(found);
  call->take_done()(std::move(result));
}

}  // namespace causeway::http_client
