#include "supervise/probe.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/endpoint.h"

namespace causeway::supervise {
namespace {
constexpr std::uint64_t kFirstPauseMs = 5;  // bind to listen takes microseconds
constexpr std::uint64_t kMostPauseMs = 1000;
constexpr std::uint64_t kCommandTimeoutMs = 30000;  // a hung one must not stand for the whole start
}  // namespace

Probe::Probe(io::Loop& loop, process::Reaper& reaper, const ReadyRule& rule,
             std::vector<std::string> environment, std::function<void()> answered)
    : loop_(loop),
      reaper_(reaper),
      rule_(rule),
      environment_(std::move(environment)),
      answered_(std::move(answered)),
      pause_ms_(kFirstPauseMs),
      retry_(loop),
      client_(loop, rule_.path) {
  if (!rule_.path.empty()) {
    auto watch = io::PathWatch::start(loop_, rule_.path, [this] {
      pause_ms_ = kFirstPauseMs;  // bound now, and listening in a moment: don't wait long for that
      appeared_ = true;
      if (!asking_) look();
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
      return look_at_socket();
    case ReadyRule::Kind::http:
      return ask();
    case ReadyRule::Kind::command:
      return run_command();
  }
}

void Probe::look_at_socket() {
  if (const auto connection = io::connect_unix(rule_.path); !connection)
    return not_connected(connection.error());
  done();
}

// It waits for as long as the service takes to answer.
void Probe::ask() {
  const std::string what = "GET " + rule_.target + ": ";
  asking_ = true;
  appeared_ = false;
  finding_ = what + "no answer yet";
  client_.call("GET", rule_.target, 0, [this, what](const Result<http_client::Reply>& reply) {
    asking_ = false;
    // A refusal is told a moment later: what appeared meanwhile gives no second event.
    if (!reply && appeared_) return again_later(reply.error().message);
    if (!reply) return not_connected(reply.error());
    if (reply->status == 200) return done();
    again_later(what + "answered " + std::to_string(reply->status));
  });
}

// Missing: the watch tells when it comes. Anything else has no event.
void Probe::not_connected(const Error& error) {
  finding_ = error.message;
  if (error.code != ENOENT || !watch_) again_later(finding_);
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
    if (!asking_) look();
  });
  pause_ms_ = std::min(pause_ms_ * 2, kMostPauseMs);
}

void Probe::done() {
  const auto answered = std::exchange(answered_, nullptr);
  if (answered) answered();  // last: it may destroy us
}

}  // namespace causeway::supervise
