#include "supervise/liveness.h"

#include <string_view>
#include <utility>

#include "io/endpoint.h"
#include "io/stream.h"

namespace causeway::supervise {
namespace {

// RFC 9113, section 3.4: what a client of HTTP/2 says first, with settings that change nothing. A
// server says its own settings at once.
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33);

}  // namespace

// One greeting of an HTTP/2 server: its first byte is the answer.
class Liveness::Greeting final : private io::Stream::Handler {
 public:
  Greeting(Liveness& owner, UniqueFd connection)
      : owner_(owner), stream_(owner.loop_, std::move(connection), this) {
    stream_.write(kPreface);
    stream_.resume(io::Stream::not_started);
  }

 private:
  void on_data(std::string_view) override {
    if (!std::exchange(over_, true)) owner_.answered();
  }
  void on_eof() override { fail("it closed the connection"); }
  void on_drained() override {}
  void on_read_error(const Error& error) override { fail(error.message); }
  void on_write_error(const Error& error) override { fail(error.message); }
  void fail(const std::string& why) {
    if (!std::exchange(over_, true)) owner_.failed(why);
  }

  Liveness& owner_;
  bool over_ = false;
  io::Stream stream_;
};

Liveness::Liveness(io::Loop& loop, AliveRule rule, std::function<void()> changed, Times times)
    : loop_(loop),
      rule_(std::move(rule)),
      times_(times),
      changed_(std::move(changed)),
      next_(loop),
      late_(loop),
      client_(loop, rule_.path) {
  if (rule_.kind != AliveRule::Kind::none) next_.start(times_.period_ms, [this] { ask(); });
}

Liveness::~Liveness() = default;

std::uint64_t Liveness::silent_ms() const {
  return silent_ ? loop_.now_ms() - silent_since_ms_ : 0;
}

void Liveness::ask() {
  asked_ms_ = loop_.now_ms();
  late_.start(times_.patience_ms, [this] { now_silent(); });
  switch (rule_.kind) {
    case AliveRule::Kind::none:
      return;
    case AliveRule::Kind::http:
      client_.call("GET", rule_.target, times_.give_up_ms,
                   [this](const Result<http_client::Reply>& reply) {
                     if (!reply) return failed(reply.error().message);
                     if (reply->status == 200) return answered();
                     failed("GET " + rule_.target + ": answered " + std::to_string(reply->status));
                   });
      return;
    case AliveRule::Kind::socket:
    case AliveRule::Kind::http2:
      break;
  }
  auto connection = io::connect_unix(rule_.path);
  if (!connection) return failed(connection.error().message);
  if (rule_.kind == AliveRule::Kind::socket) return answered();
  greeting_ = std::make_unique<Greeting>(*this, *std::move(connection));
  next_.start(times_.give_up_ms, [this] { failed("no answer in time"); });
}

// The greeting is what calls: it goes in a turn of its own.
void Liveness::answered() {
  late_.stop();
  finding_.clear();
  next_.start(times_.period_ms, [this] { ask(); });
  loop_.defer(lifetime_.guard([this] { greeting_.reset(); }));
  if (std::exchange(silent_, false)) changed_();
}

void Liveness::failed(std::string finding) {
  late_.stop();
  finding_ = std::move(finding);
  next_.start(times_.pause_ms, [this] { ask(); });
  loop_.defer(lifetime_.guard([this] { greeting_.reset(); }));
  now_silent();
}

void Liveness::now_silent() {
  if (std::exchange(silent_, true)) return;
  silent_since_ms_ = asked_ms_;
  changed_();
}

}  // namespace causeway::supervise
