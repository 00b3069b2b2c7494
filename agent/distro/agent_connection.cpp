#include "distro/agent_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "handover/share_socket.h"

namespace causeway::distro {
namespace {

// For connections that end as soon as they are made, and for an agent with too many in its queue:
// no event tells when that is over.
constexpr std::uint64_t kFirstRestMs = 100;
constexpr std::uint64_t kLongestRestMs = 10'000;
constexpr std::uint64_t kLongEnoughMs = 10'000;  // then the next rest is the first one again

}  // namespace

AgentConnection::AgentConnection(io::Loop& loop, Owner& owner)
    : loop_(loop), owner_(owner), rest_ms_(kFirstRestMs), rest_timer_(loop) {}

void AgentConnection::look(const std::string& wsl) {
  if (wsl == wsl_ || state_ == State::finished) return;
  wsl_ = wsl;
  watch_.reset();
  if (wsl_.empty()) return;
  const std::string socket = wsl_ + "/" + handover::kRendezvous + "/run/" + handover::kSocketName;
  auto watch = io::PathWatch::start(
      loop_, socket, [this] { attempt(); }, wsl_);
  if (watch) {
    watch_ = *std::move(watch);
  } else {
    log::warning("agent.watch", {{"error", watch.error().message}});
    rest();
  }
  attempt();
}

void AgentConnection::attempt() {
  if (state_ != State::waiting || wsl_.empty()) return;
  const auto done = connect();
  if (done) return;
  const int code = done.error().code;
  if (done.error().message != std::exchange(last_error_, done.error().message))
    log::info("agent.waiting", {{"reason", last_error_}});
  // What isn't there, or nobody listens on, comes with an event.
  if (code != ENOENT && code != ECONNREFUSED) rest();
}

Status AgentConnection::connect() {
  const auto directory = handover::open_trusted(wsl_, {handover::kRendezvous, "run"});
  if (!directory) return directory.error();
  auto fd = handover::connect_in(directory->get(), handover::kSocketName);
  if (!fd) return std::move(fd).error();
  auto hello = owner_.hello();
  if (!hello) return std::move(hello).error();
  rest_timer_.stop();
  last_error_.clear();
  state_ = State::greeting;
  connected_ms_ = loop_.now_ms();
  channel_ = std::make_unique<handover::Channel>(
      loop_, *std::move(fd), [this](handover::Message message) { on_message(std::move(message)); },
      [this](const Error& why) { on_closed(why); });
  channel_->send(*std::move(hello));
  return Ok{};
}

void AgentConnection::on_message(handover::Message message) {
  if (state_ == State::finished) return;
  if (const auto* refused = std::get_if<handover::Refused>(&message.body)) {
    log::warning("agent.refused", {{"reason", refused->reason}, {"remove", refused->remove}});
    state_ = State::waiting;  // for the socket to be touched; no rest, no other event
    const auto ended = std::move(channel_);
    if (refused->remove) {
      owner_.on_unwanted(refused->reason);
    } else if (refused->version != handover::kVersion) {
      owner_.on_other_version();
    }
    return;
  }
  if (state_ == State::greeting) {
    if (!std::holds_alternative<handover::Welcome>(message.body)) {
      on_closed(make_error("a message " + std::string(handover::type_name(message.body)) +
                           " before the welcome"));
      return;
    }
    state_ = State::talking;
    log::info("agent.welcome");
    owner_.on_welcome();
    return;
  }
  owner_.on_message(std::move(message));
}

void AgentConnection::on_closed(const Error& why) {
  channel_.reset();
  if (state_ == State::finished) {
    if (ended_) ended_();
    return;
  }
  const bool talked = std::exchange(state_, State::waiting) == State::talking;
  log::info("agent.lost", {{"reason", why.message}});
  if (talked) owner_.on_lost();
  if (state_ != State::waiting) return;
  if (!talked || loop_.now_ms() - connected_ms_ < kLongEnoughMs) {
    rest();
  } else {
    rest_ms_ = kFirstRestMs;
    attempt();
  }
}

void AgentConnection::rest() {
  rest_timer_.start(rest_ms_, [this] { attempt(); });
  rest_ms_ = std::min(rest_ms_ * 2, kLongestRestMs);
}

void AgentConnection::send(handover::Body body, UniqueFd fd) {
  if (state_ == State::talking) channel_->send({std::move(body), std::move(fd)});
}

void AgentConnection::renew() {
  if (state_ == State::talking) channel_->close_when_sent();
}

void AgentConnection::finish(std::function<void()> ended) {
  ended_ = std::move(ended);
  state_ = State::finished;
  rest_timer_.stop();
  watch_.reset();
  if (channel_) {
    channel_->close_when_sent();
  } else {
    loop_.defer(lifetime_.guard([this] { ended_(); }));
  }
}

}  // namespace causeway::distro
