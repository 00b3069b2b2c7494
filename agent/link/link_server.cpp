#include "link/link_server.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace causeway::link {
namespace {
// Somebody who knocks all day is one event, not thousands.
constexpr std::uint64_t kRefusalLogGapMs = 10'000;
}  // namespace

LinkServer::LinkServer(io::Loop& loop, Options options, Handler handler)
    : loop_(loop),
      options_(options),
      handler_(std::move(handler)),
      alone_since_ms_(loop.now_ms()) {}

LinkServer::~LinkServer() = default;

void LinkServer::listen(Endpoint endpoint) {
  LinkListener::Handler handler;
  handler.accepted = [this, transport = endpoint.transport, may_be_silent = endpoint.may_be_silent](
                         UniqueFd fd) { accepted(transport, may_be_silent, std::move(fd)); };
  handler.refused = [this](const std::string& reason) { note_refusal(reason); };
  handler.changed = [this] { handler_.changed(); };
  listeners_.emplace_back(loop_, std::move(endpoint), std::move(handler), options_.delays);
}

void LinkServer::accepted(const std::string& transport, bool may_be_silent, UniqueFd fd) {
  if (sessions_.size() - count_open() >= options_.strangers)
    return note_refusal(transport + ": too many connections that have not said hello");
  if (sessions_.empty()) {
    heartbeat_ = std::make_unique<Heartbeat>(loop_, options_.tick_ms, [this] { tick(); });
  }
  sessions_.push_back(std::make_unique<LinkSession>(loop_, std::move(fd), transport, may_be_silent,
                                                    options_.session,
                                                    static_cast<LinkSession::Owner&>(*this)));
}

void LinkServer::tick() {
  // A session that ends here is destroyed later.
  for (const auto& session : sessions_) session->tick();
  // Streams whose receivers are slow hold a window each; the C library keeps what they held.
  const bool streams = status().streams > 0;
  if (std::exchange(had_streams_, streams) && !streams) ::malloc_trim(0);
}

void LinkServer::opened(LinkSession& session) {
  log::info("link.connected", {{"transport", session.transport()}});
  const auto same = [&](const auto& other) { return other.get() == &session; };
  sessions_.splice(sessions_.end(), sessions_,
                   std::find_if(sessions_.begin(), sessions_.end(), same));
  if (count_open() > options_.sessions) {
    const auto oldest = std::find_if(sessions_.begin(), sessions_.end(),
                                     [](const auto& other) { return other->is_open(); });
    (*oldest)->drop("newer connections have taken its place");
  }
  handler_.connected();
  handler_.changed();
}

std::unique_ptr<io::ByteStream> LinkServer::serve(wire::Channel channel,
                                                  std::unique_ptr<io::ByteStream> stream) {
  had_streams_ = true;
  return handler_.serve(channel, std::move(stream));
}

void LinkServer::refused(LinkSession& session, const std::string& reason) {
  note_refusal(session.transport() + ": " + reason);
}

void LinkServer::note_refusal(const std::string& reason) {
  const bool same = refusal_ && refusal_->reason == reason;
  refusal_ = {reason, loop_.now_ms()};
  if (!same || loop_.now_ms() >= refusal_logged_ms_ + kRefusalLogGapMs) {
    refusal_logged_ms_ = loop_.now_ms();
    log::warning("link.refused", {{"reason", reason}});
  }
  handler_.changed();
}

void LinkServer::over(LinkSession& session, const std::string& reason) {
  log::info("link.over", {{"transport", session.transport()}, {"reason", reason}});
  loop_.defer(lifetime_.guard([this, gone = &session] {
    sessions_.remove_if([gone](const auto& other) { return other.get() == gone; });
    if (count_open() == 0) alone_since_ms_ = loop_.now_ms();
    if (sessions_.empty()) {
      heartbeat_.reset();
      std::vector<char>().swap(output_);
    }
    handler_.changed();
  }));
}

std::span<char> LinkServer::output() {
  output_.resize(LinkSession::kOutputBytes);
  return output_;
}

std::size_t LinkServer::count_open() const {
  return static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(), [](const auto& session) { return session->is_open(); }));
}

LinkSession* LinkServer::newest() {
  const auto found = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                  [](const auto& session) { return session->is_open(); });
  return found == sessions_.rend() ? nullptr : found->get();
}

const LinkSession* LinkServer::newest() const {
  const auto found = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                  [](const auto& session) { return session->is_open(); });
  return found == sessions_.rend() ? nullptr : found->get();
}

std::unique_ptr<io::ByteStream> LinkServer::open(wire::Channel channel) {
  LinkSession* const session = newest();
  return session == nullptr ? nullptr : session->open(channel);
}

LinkServer::Status LinkServer::status() const {
  Status out;
  out.sessions = count_open();
  for (const auto& session : sessions_) out.streams += session->streams();
  out.since_ms = alone_since_ms_;
  if (const LinkSession* const session = newest(); session != nullptr) {
    out.transport = session->transport();
    out.since_ms = session->since_ms();
  }
  out.refusal = refusal_;
  return out;
}

}  // namespace causeway::link
