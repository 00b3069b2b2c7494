#include "link/link_session.h"

#include <utility>

#include "base/log.h"

namespace causeway::link {
namespace {

// Of kOutputBytes each, until the others get their turn: what a fast transport takes in a moment.
constexpr int kSendsPerTurn = 32;

}  // namespace

LinkSession::LinkSession(io::Loop& loop, UniqueFd fd, std::string transport, bool may_be_silent,
                         const Options& options, Owner& owner)
    : loop_(loop),
      owner_(owner),
      options_(options),
      transport_(std::move(transport)),
      silent_(may_be_silent),
      since_ms_(loop.now_ms()),
      hello_(wire::Role::shim),
      yamux_(wire::Yamux::Side::server, options.limits, *this),
      deadline_(loop),
      stream_(loop, std::move(fd), this) {
  if (!silent_) await_hello();
  stream_.resume(io::ByteStream::not_started);
}

void LinkSession::await_hello() {
  deadline_.start(options_.hello_ms, [this] {
    refuse("no complete hello within " + std::to_string(options_.hello_ms / 1000) + " s");
  });
}

LinkSession::~LinkSession() { lose_streams(); }

// ---- transport ----------------------------------------------------------------------------------

void LinkSession::on_data(std::string_view bytes) {
  if (std::exchange(silent_, false)) await_hello();
  if (state_ == State::hello) bytes = greet(bytes);
  if (state_ == State::open && !bytes.empty()) receive(bytes);
}

// Takes the hello off the front of `bytes`.
std::string_view LinkSession::greet(std::string_view bytes) {
  const auto hello = hello_.take(bytes);
  if (!hello) {
    refuse(hello.error().message);
    return {};
  }
  if (!*hello) return {};
  if (!(*hello)->refusal.empty()) {
    refuse("the Windows side refuses: " + (*hello)->refusal);
    return {};
  }
  if ((*hello)->expected != options_.nonce) {
    refuse("the nonce is of another boot of docker-desktop, or of another distro of that name");
    return {};
  }
  wire::Hello answer;
  answer.role = wire::Role::agent;
  answer.nonce = options_.nonce;
  answer.expected = (*hello)->nonce;
  deadline_.stop();
  state_ = State::open;
  since_ms_ = loop_.now_ms();
  heard_ = true;
  stream_.write(wire::encode(answer));
  owner_.opened(*this);
  return bytes;
}

// With an empty nonce: it is told to nobody who doesn't know it.
void LinkSession::refuse(const std::string& reason) {
  if (state_ != State::hello) return;
  state_ = State::refusing;
  wire::Hello answer;
  answer.role = wire::Role::agent;
  answer.refusal = reason;
  stream_.write(wire::encode(answer));
  stream_.shutdown_write();
  // What still comes is read and dropped: unread, it would make a reset that overtakes the text.
  deadline_.start(options_.refusal_ms, [this, reason] { end(reason); });
  sent_away_ = true;
  owner_.refused(*this, reason);
}

void LinkSession::on_eof() {
  switch (state_) {
    case State::hello:
      // Nobody is left to read a refusal.
      state_ = State::refusing;
      if (silent_) return end("it has held the distro, and carried no link");
      sent_away_ = true;
      owner_.refused(*this, "the connection ended within the hello");
      return end("the connection ended within the hello");
    case State::refusing:
      return end("refused");
    case State::open:
      return end("Windows closed the connection");
    case State::over:
      return;
  }
}

void LinkSession::on_drained() {
  if (state_ == State::open) flush();
}

void LinkSession::on_read_error(const Error& error) { end(error.message); }
void LinkSession::on_write_error(const Error& error) { end(error.message); }

void LinkSession::drop(const std::string& reason) {
  if (state_ == State::open) {
    yamux_.go_away(wire::Yamux::GoAway::normal);
    flush();
  }
  end(reason);
}

void LinkSession::end(const std::string& reason) {
  if (std::exchange(state_, State::over) == State::over) return;
  deadline_.stop();
  stream_.pause(io::ByteStream::finished);
  stream_.shutdown_write();
  lose_streams();
  owner_.over(*this, reason);
}

// Each is aborted, which tells its owner, who may destroy any of them.
void LinkSession::lose_streams() {
  while (!streams_.empty()) {
    const auto first = streams_.begin();
    ChannelStream* const stream = first->second;
    streams_.erase(first);
    if (stream != nullptr) stream->link_lost();
  }
}

void LinkSession::tick() {
  if (state_ != State::open) return;
  if (std::exchange(heard_, false)) {
    silent_ticks_ = 0;
    return;
  }
  if (++silent_ticks_ >= kSilentTicks) return end("Windows does not answer");
  if (silent_ticks_ > 1) return;
  yamux_.ping(0);
  flush_soon();
}

// ---- yamux -------------------------------------------------------------------------------------

void LinkSession::receive(std::string_view bytes) {
  heard_ = true;
  if (auto done = yamux_.receive(bytes); !done) {
    log::warning("link.violation", {{"transport", transport_}, {"reason", done.error().message}});
    flush();
    return end(done.error().message);
  }
  if (yamux_.has_output()) flush_soon();
}

void LinkSession::on_open(Id id) { streams_.emplace(id, nullptr); }

void LinkSession::on_data(Id id, std::string_view bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || bytes.empty()) return yamux_.consumed(id, bytes.size());
  if (found->second != nullptr) return found->second->received(bytes);
  dispatch(id, bytes);
}

// The first byte says what the stream is for.
void LinkSession::dispatch(Id id, std::string_view bytes) {
  const auto channel = static_cast<wire::Channel>(bytes[0]);
  yamux_.consumed(id, 1);
  if (channel != wire::Channel::engine && channel != wire::Channel::control) {
    if (++oddities_.unknown_channels == 1)
      log::warning("link.unknown_channel",
                   {{"transport", transport_}, {"channel", static_cast<unsigned char>(bytes[0])}});
    streams_.erase(id);
    return yamux_.reset(id);
  }
  auto stream = std::make_unique<ChannelStream>(static_cast<ChannelStream::Owner&>(*this), id);
  streams_[id] = stream.get();
  if (const auto refused = owner_.serve(channel, std::move(stream))) {
    if (++oddities_.refused_streams == 1)
      log::warning("link.stream_refused",
                   {{"transport", transport_}, {"channel", static_cast<unsigned char>(channel)}});
    static_cast<ChannelStream&>(*refused).abort();
    return;
  }
  bytes.remove_prefix(1);
  if (bytes.empty()) return;
  // It may be gone already.
  const auto found = streams_.find(id);
  if (found != streams_.end()) return found->second->received(bytes);
  yamux_.consumed(id, bytes.size());
}

void LinkSession::on_eof(Id id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  if (found->second != nullptr) return found->second->peer_finished();
  streams_.erase(found);
  yamux_.reset(id);
}

void LinkSession::on_end(Id id, wire::Yamux::End how) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  ChannelStream* const stream = found->second;
  streams_.erase(found);
  if (stream != nullptr) stream->peer_ended(how);
}

void LinkSession::on_drained(Id id) {
  const auto found = streams_.find(id);
  if (found != streams_.end() && found->second != nullptr) found->second->drained();
}

void LinkSession::on_go_away(wire::Yamux::GoAway reason) {
  if (reason != wire::Yamux::GoAway::normal && ++oddities_.farewells == 1)
    log::warning("link.farewell",
                 {{"transport", transport_}, {"reason", static_cast<std::uint32_t>(reason)}});
}

std::unique_ptr<io::ByteStream> LinkSession::open(wire::Channel channel) {
  if (state_ != State::open) return nullptr;
  const Id id = yamux_.open();
  if (id == 0) return nullptr;
  auto stream = std::make_unique<ChannelStream>(static_cast<ChannelStream::Owner&>(*this), id);
  streams_[id] = stream.get();
  const char byte = static_cast<char>(channel);
  stream->write({&byte, 1});
  return stream;
}

void LinkSession::flush_soon() {
  if (std::exchange(flushing_, true)) return;
  loop_.defer(lifetime_.guard([this] {
    flushing_ = false;
    flush();
  }));
}

void LinkSession::flush() {
  if (state_ != State::open) return;
  const auto buffer = owner_.output();
  for (int i = 0; stream_.queued() == 0; ++i) {
    if (i == kSendsPerTurn) return flush_soon();
    const std::size_t size = yamux_.take_output(buffer.data(), buffer.size());
    if (size == 0) return;
    stream_.write({buffer.data(), size});
  }
}

}  // namespace causeway::link
