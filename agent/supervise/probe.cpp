#include "supervise/probe.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "http/parser.h"
#include "http/writer.h"
#include "io/endpoint.h"
#include "io/stream.h"

namespace causeway::supervise {
namespace {
constexpr std::uint64_t kFirstPauseMs = 5;  // bind to listen takes microseconds
constexpr std::uint64_t kMostPauseMs = 1000;
constexpr std::uint64_t kCommandTimeoutMs = 30000;  // a hung one must not stand for the whole start
}  // namespace

// One GET on one connection. It waits for as long as the service takes to answer.
class Probe::HttpGet : public io::Stream::Handler {
 public:
  using Done = std::function<void(bool ok, std::string finding)>;

  HttpGet(io::Loop& loop, UniqueFd connection, const std::string& target, Done done)
      : done_(std::move(done)), stream_(loop, std::move(connection), this) {
    http::Request request;
    request.target = target;
    stream_.write(http::write(request));
    stream_.resume(io::Stream::not_started);
  }

  void on_data(std::string_view bytes) override {
    while (!bytes.empty() && !parser_.head_done()) {
      const auto taken = parser_.feed(bytes);
      if (!taken) return tell(false, taken.error().message);
      bytes.remove_prefix(*taken);
      if (parser_.head_done()) {
        const int status = parser_.head().status;
        return tell(status == 200, "answered " + std::to_string(status));
      }
      if (*taken == 0) return;
    }
  }
  void on_eof() override { tell(false, "closed without an answer"); }
  void on_drained() override {}
  void on_read_error(const Error& error) override { tell(false, error.message); }
  void on_write_error(const Error& error) override { tell(false, error.message); }

 private:
  // Last in every caller: it destroys this.
  void tell(bool ok, std::string finding) {
    const auto done = std::exchange(done_, nullptr);
    if (done) done(ok, std::move(finding));
  }

  Done done_;
  http::Parser parser_{http::Kind::response};
  io::Stream stream_;
};

Probe::Probe(io::Loop& loop, process::Reaper& reaper, const ReadyRule& rule,
             std::vector<std::string> environment, std::function<void()> answered)
    : loop_(loop),
      reaper_(reaper),
      rule_(rule),
      environment_(std::move(environment)),
      answered_(std::move(answered)),
      pause_ms_(kFirstPauseMs),
      retry_(loop) {
  if (!rule_.path.empty()) {
    auto watch = io::PathWatch::start(loop_, rule_.path, [this] {
      pause_ms_ = kFirstPauseMs;  // bound now, and listening in a moment: don't wait long for that
      if (!get_) look();
    });
    if (watch) {
      watch_ = std::move(*watch);
    } else {
      finding_ = watch.error().message;  // the pauses must do
    }
  }
  loop_.defer(lifetime_.guard([this] { look(); }));
}

Probe::~Probe() = default;

void Probe::look() {
  switch (rule_.kind) {
    case ReadyRule::Kind::none:
      return done();
    case ReadyRule::Kind::file:
      if (::access(rule_.path.c_str(), F_OK) == 0) return done();
      finding_ = rule_.path + " isn't there yet";
      if (!watch_) again_later(finding_);
      return;
    case ReadyRule::Kind::socket:
      return look_at_socket(false);
    case ReadyRule::Kind::http:
      return look_at_socket(true);
    case ReadyRule::Kind::command:
      return run_command();
  }
}

void Probe::look_at_socket(bool http) {
  auto connection = io::connect_unix(rule_.path);
  if (!connection) {
    finding_ = connection.error().message;
    // Missing: the watch tells when it comes. Anything else has no event.
    if (connection.error().code != ENOENT || !watch_) again_later(finding_);
    return;
  }
  if (!http) return done();
  finding_ = "GET " + rule_.target + ": no answer yet";
  get_ = std::make_unique<HttpGet>(loop_, std::move(*connection), rule_.target,
                                   [this](bool ok, const std::string& finding) {
                                     if (ok) return done();
                                     get_.reset();
                                     again_later("GET " + rule_.target + ": " + finding);
                                   });
}

void Probe::run_command() {
  if (command_) return;
  command_ = std::make_unique<process::RunOnce>(loop_, reaper_, rule_.argv, environment_,
                                                kCommandTimeoutMs,
                                                [this](const process::RunOnce::Outcome& outcome) {
                                                  command_.reset();
                                                  if (outcome.success()) return done();
                                                  again_later(outcome.text(rule_.argv[0]));
                                                });
}

void Probe::again_later(std::string finding) {
  finding_ = std::move(finding);
  retry_.start(pause_ms_, [this] {
    if (!get_) look();
  });
  pause_ms_ = std::min(pause_ms_ * 2, kMostPauseMs);
}

void Probe::done() {
  const auto answered = std::exchange(answered_, nullptr);
  if (answered) answered();  // last: it may destroy us
}

}  // namespace causeway::supervise
