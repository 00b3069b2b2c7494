#include "pipe/relay.h"

#include <utility>

namespace causeway::shim::pipe {
namespace {

// What may wait for the agent before the client is read no further. One stream keeps the link busy
// with it: it is twice what a send of the transport takes.
constexpr std::size_t kToAgent = std::size_t{256} * 1024;
// What is kept of a client that waits for the link: enough for the head of any request.
constexpr std::size_t kEarly = std::size_t{64} * 1024;
// A client that is refused: to say what it wants, and then to take the answer and leave.
constexpr std::uint64_t kHeadMs = 2'000;
constexpr std::uint64_t kLeaveMs = 5'000;
// One that has written nothing for so long has nothing more to write.
constexpr std::uint64_t kQuietMs = 200;
// The same behind the agent's FIN: docker.exe ends by itself then, Node doesn't hear of it (libuv
// takes no notice of a zero-byte message) and would wait for ever. Long enough for who still has
// input to send to a command that has closed its output.
constexpr std::uint64_t kHalfOpenMs = 2'000;

}  // namespace

Relay::Relay(CompletionPort& port, std::shared_ptr<PipeClient> client, std::uint64_t wait_ms,
             Owner& owner)
    : owner_(owner),
      client_side_(*this),
      agent_side_(*this),
      timer_(port),
      quiet_(port),
      client_(std::move(client)) {
  timer_.start(wait_ms, [this] { refuse(); });
  client_->start(&client_side_);
  link_changed();
}

Relay::~Relay() {
  if (client_) client_->abort();
}

void Relay::link_changed() {
  if (state_ != State::waiting) return;
  if (owner_.link_is_up()) return connect();
  if (!owner_.link_is_coming()) refuse();
}

void Relay::connect() {
  stream_ = owner_.open_engine();
  if (!stream_) return refuse();
  timer_.stop();
  state_ = State::relaying;
  stream_->set_handler(&agent_side_);
  if (!early_.empty()) stream_->write(std::exchange(early_, {}));
  if (early_eof_) stream_->end_write();
  client_->resume();
}

void Relay::client_data(std::string_view bytes) {
  switch (state_) {
    case State::waiting:
      early_ += bytes;
      head_seen_ = head_.seen(bytes);
      if (early_.size() >= kEarly) client_->pause();
      return;
    case State::relaying:
      stream_->write(bytes);
      if (half_open_) quiet_.start(kHalfOpenMs, [this] { close_half_open(); });
      if (stream_->queued() >= kToAgent) client_->pause();
      return;
    case State::refusing:
      // Read and dropped: a client that can't write on may not look for the answer.
      head_seen_ = head_.seen(bytes);
      if (head_seen_) answer();
      if (answered_) quiet_.start(kQuietMs, [this] { stream_closed(); });
      return;
    case State::over:
      return;
  }
}

void Relay::client_eof() {
  switch (state_) {
    case State::waiting:
      early_eof_ = true;
      return;
    case State::relaying:
      return stream_->end_write();
    case State::refusing:
      return answer();
    case State::over:
      return;
  }
}

void Relay::client_took(std::size_t bytes) {
  if (state_ == State::relaying) stream_->consumed(bytes);
}

void Relay::client_gone() {
  client_.reset();
  if (stream_) {
    stream_->set_handler(nullptr);
    stream_->close();
  }
  end();
}

void Relay::stream_finished() {
  client_->end_write();
  half_open_ = true;
  quiet_.start(kHalfOpenMs, [this] { close_half_open(); });
}

void Relay::close_half_open() {
  // What the agent doesn't take keeps the client from saying more.
  if (stream_->queued() > 0) return quiet_.start(kHalfOpenMs, [this] { close_half_open(); });
  stream_->set_handler(nullptr);
  stream_->close();
  stream_closed();
}

void Relay::stream_closed() {
  client_->close();
  client_.reset();
  end();
}

void Relay::stream_aborted() {
  client_->abort();
  client_.reset();
  end();
}

void Relay::refuse() {
  state_ = State::refusing;
  owner_.refused();
  early_.clear();
  client_->resume();
  if (head_seen_ || early_eof_) return answer();
  timer_.start(kHeadMs, [this] { answer(); });
}

void Relay::answer() {
  if (std::exchange(answered_, true)) return;
  client_->write(unavailable_answer(owner_.why_no_link()));
  client_->end_write();
  // It leaves by itself when it has read it: the answer says that the connection ends. Closing
  // takes nothing of the answer away, but what it still writes would fail.
  quiet_.start(kQuietMs, [this] { stream_closed(); });
  timer_.start(kLeaveMs, [this] { stream_closed(); });
}

void Relay::end() {
  if (std::exchange(state_, State::over) == State::over) return;
  timer_.stop();
  quiet_.stop();
  owner_.relay_over(*this);
}

}  // namespace causeway::shim::pipe
