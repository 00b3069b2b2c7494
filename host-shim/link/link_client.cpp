#include "link/link_client.h"

#include <bcrypt.h>

#include <algorithm>
#include <utility>

namespace causeway::shim::link {
namespace {

// An idle link is asked after one tick of silence and given up after four: a dead transport is
// noticed within 40 s, and a healthy idle one costs a frame of 12 bytes every 10 s.
constexpr std::uint64_t kTickMs = 10'000;
constexpr int kSilentTicks = 4;
// For an agent to take what a client wrote before it left; then it is told of the client's end all
// the same, for nobody waits for the answer.
constexpr std::uint64_t kLingerMs = 10'000;

wire::Yamux::Limits limits() { return {}; }

}  // namespace

LinkChannel::~LinkChannel() {
  if (link_ == nullptr) return;
  link_->channels_.erase(id_);
  link_->yamux_.reset(id_);
  link_->flush_soon();
}

void LinkChannel::write(std::string_view bytes) {
  if (link_ == nullptr) return;
  link_->yamux_.write(id_, bytes);
  link_->flush_soon();
}

void LinkChannel::end_write() {
  if (link_ == nullptr) return;
  link_->yamux_.end_write(id_);
  link_->flush_soon();
}

void LinkChannel::close() {
  if (link_ == nullptr) return;
  LinkClient& link = *std::exchange(link_, nullptr);
  link.channels_.erase(id_);
  const bool waits = link.yamux_.queued(id_) > 0;
  link.yamux_.close(id_);
  link.flush_soon();
  if (!waits) return;
  link.port_.after(kLingerMs, link.lifetime_.guard([&link, id = id_] {
    link.yamux_.reset(id);  // nothing, if it has gone
    link.flush_soon();
  }));
}

void LinkChannel::reset() {
  if (link_ == nullptr) return;
  LinkClient& link = *std::exchange(link_, nullptr);
  link.channels_.erase(id_);
  link.yamux_.reset(id_);
  link.flush_soon();
}

std::size_t LinkChannel::queued() const { return link_ == nullptr ? 0 : link_->yamux_.queued(id_); }

void LinkChannel::consumed(std::size_t bytes) {
  if (link_ == nullptr) return;
  link_->yamux_.consumed(id_, bytes);
  if (link_->yamux_.has_output()) link_->flush_soon();
}

LinkClient::LinkClient(CompletionPort& port, std::unique_ptr<Transport> transport,
                       const wire::Nonce& nonce, Owner& owner)
    : port_(port),
      owner_(owner),
      agent_nonce_(nonce),
      hello_(wire::Role::agent),
      yamux_(wire::Yamux::Side::client, limits(), *this),
      timer_(port),
      check_(port),
      transport_(std::move(transport)) {
  BCryptGenRandom(nullptr, own_nonce_.data(), static_cast<ULONG>(own_nonce_.size()),
                  BCRYPT_USE_SYSTEM_PREFERRED_RNG);
  wire::Hello hello;
  hello.role = wire::Role::shim;
  hello.nonce = own_nonce_;
  hello.expected = agent_nonce_;
  unsent_hello_ = wire::encode(hello);
  timer_.start(wire::kHelloTimeoutMs, [this] {
    down("the agent didn't say hello within " + std::to_string(wire::kHelloTimeoutMs / 1000) +
         " s");
  });
  transport_->start(*this);
  flush();
}

LinkClient::~LinkClient() {
  state_ = State::down;
  end_channels("the link was ended");
}

std::unique_ptr<LinkChannel> LinkClient::open(wire::Channel channel) {
  const Id id = state_ == State::up ? yamux_.open() : 0;
  if (id == 0) return nullptr;
  std::unique_ptr<LinkChannel> stream(new LinkChannel(*this, id));
  channels_[id] = stream.get();
  const char select = static_cast<char>(channel);
  stream->write({&select, 1});
  return stream;
}

void LinkClient::check(std::uint64_t ms) {
  if (state_ != State::up) return;
  yamux_.ping(0);
  flush_soon();
  check_.start(ms, [this, ms] {
    down("the agent didn't answer within " + std::to_string(ms) + " ms after the machine's sleep");
  });
}

void LinkClient::farewell() {
  if (state_ != State::up) return;
  state_ = State::leaving;
  timer_.stop();
  check_.stop();
  end_channels("the shim ends");
  yamux_.go_away(wire::Yamux::GoAway::normal);
  flush();
}

void LinkClient::on_sent() {
  flush();
  if (state_ == State::leaving && !transport_->output().empty()) down("the shim has said farewell");
}

void LinkClient::on_data(std::string_view bytes) {
  heard_ = true;
  check_.stop();
  if (state_ == State::greeting) {
    if (const auto reason = greet(bytes); !reason.empty()) return down(reason);
    if (state_ == State::greeting) return;
  }
  if (state_ != State::up) return;
  const auto received = yamux_.receive(bytes);
  if (!received) {
    flush();
    return down(received.error().message);
  }
  if (!farewell_of_agent_.empty()) return down(farewell_of_agent_);
  flush_soon();
}

void LinkClient::on_end(const std::string& reason) { down(reason); }

// Empty: no objection.
std::string LinkClient::greet(std::string_view& bytes) {
  auto hello = hello_.take(bytes);
  if (!hello) return hello.error().message;
  if (!*hello) return {};
  if (!(*hello)->refusal.empty()) return "the agent refuses: " + (*hello)->refusal;
  if ((*hello)->nonce != agent_nonce_ || (*hello)->expected != own_nonce_)
    return "another agent answered than the one that was looked for";
  state_ = State::up;
  timer_.start(kTickMs, [this] { tick(); });
  owner_.on_up();
  return {};
}

void LinkClient::tick() {
  timer_.start(kTickMs, [this] { tick(); });
  silent_ticks_ = std::exchange(heard_, false) ? 0 : silent_ticks_ + 1;
  if (silent_ticks_ >= kSilentTicks)
    return down("the agent has been silent for " + std::to_string(kSilentTicks * kTickMs / 1000) +
                " s");
  if (silent_ticks_ == 0) return;
  yamux_.ping(static_cast<std::uint32_t>(silent_ticks_));
  flush();
}

LinkChannel* LinkClient::find(Id id) const {
  const auto found = channels_.find(id);
  return found == channels_.end() ? nullptr : found->second;
}

void LinkClient::on_open(Id id) { channels_[id] = nullptr; }

void LinkClient::on_data(Id id, std::string_view bytes) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return yamux_.consumed(id, bytes.size());
  if (found->second == nullptr) return select(id, bytes);
  if (auto* handler = found->second->handler_; handler != nullptr) return handler->on_data(bytes);
  yamux_.consumed(id, bytes.size());
}

// The first byte of a stream of the agent's says what it is for.
void LinkClient::select(Id id, std::string_view bytes) {
  const auto channel = static_cast<wire::Channel>(bytes.front());
  yamux_.consumed(id, 1);
  bytes.remove_prefix(1);
  if (channel != wire::Channel::distro_start) {
    channels_.erase(id);
    return yamux_.reset(id);
  }
  std::unique_ptr<LinkChannel> stream(new LinkChannel(*this, id));
  channels_[id] = stream.get();
  owner_.on_opened(channel, std::move(stream));
  if (!bytes.empty()) on_data(id, bytes);
}

void LinkClient::on_eof(Id id) {
  if (auto* channel = find(id); channel != nullptr && channel->handler_ != nullptr)
    channel->handler_->on_eof();
}

void LinkClient::on_drained(Id id) {
  if (auto* channel = find(id); channel != nullptr && channel->handler_ != nullptr)
    channel->handler_->on_drained();
}

void LinkClient::on_end(Id id, wire::Yamux::End how) {
  LinkChannel* channel = find(id);
  channels_.erase(id);
  if (channel == nullptr) return;
  channel->link_ = nullptr;
  if (channel->handler_ == nullptr) return;
  if (how == wire::Yamux::End::closed)
    channel->handler_->on_closed();
  else
    channel->handler_->on_aborted("the agent broke it off");
}

void LinkClient::on_go_away(wire::Yamux::GoAway reason) {
  farewell_of_agent_ = reason == wire::Yamux::GoAway::normal ? "the agent says farewell"
                                                             : "the agent found a violation";
}

void LinkClient::flush_soon() {
  if (state_ == State::down || std::exchange(flushing_, true)) return;
  port_.defer(lifetime_.guard([this] {
    flushing_ = false;
    flush();
  }));
}

void LinkClient::flush() {
  if (state_ == State::down || !transport_) return;
  const auto out = transport_->output();
  if (out.empty()) return;
  std::size_t size = unsent_hello_.size();
  std::copy(unsent_hello_.begin(), unsent_hello_.end(), out.begin());
  unsent_hello_.clear();
  if (state_ != State::greeting) size += yamux_.take_output(out.data() + size, out.size() - size);
  if (size > 0) transport_->send(size);
}

void LinkClient::down(const std::string& reason) {
  if (state_ == State::down) return;
  state_ = State::down;
  timer_.stop();
  check_.stop();
  end_channels(reason);
  owner_.on_down(reason);
}

void LinkClient::end_channels(const std::string& reason) {
  // One at a time: a handler may destroy another one's channel.
  while (!channels_.empty()) {
    LinkChannel* channel = channels_.begin()->second;
    channels_.erase(channels_.begin());
    if (channel == nullptr) continue;
    channel->link_ = nullptr;
    if (channel->handler_ != nullptr) channel->handler_->on_aborted(reason);
  }
}

}  // namespace causeway::shim::link
