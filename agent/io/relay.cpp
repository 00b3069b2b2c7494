#include "io/relay.h"

#include <cerrno>
#include <utility>

namespace causeway::io {

Relay::Relay(Loop& loop, std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b,
             std::function<void()> ended, std::size_t limit)
    : limit_(limit), ended_(std::move(ended)) {
  sides_[0].stream = std::move(a);
  sides_[1].stream = std::move(b);
  for (Side& side : sides_) {
    side.relay = this;
    side.other = &sides_[&side == &sides_[0] ? 1 : 0];
    side.stream->watch_hangup(false);
    side.stream->set_handler(&side);
  }
  // What has happened before is met in a turn of its own: `ended` isn't called from in here.
  loop.defer(lifetime_.guard([this] { begin(); }));
}

Relay::~Relay() = default;

void Relay::begin() {
  if (!ended_) return;
  for (Side& side : sides_) {
    const ByteStream& to = *side.other->stream;
    if (to.write_ended() && to.queued() == 0) side.finished = true;
    if (side.stream->read_ended() && !side.eof_read) {
      eof(side);
      if (!ended_) return;
    }
  }
  if (end_if_finished()) return;
  for (Side& side : sides_) {
    side.stream->resume_all();
    if (side.other->stream->queued() > limit_) side.stream->pause(ByteStream::backlog);
  }
}

void Relay::data(Side& from, std::string_view bytes) {
  if (from.finished) return;
  ByteStream& to = *from.other->stream;
  to.write(bytes);
  if (to.queued() > limit_) from.stream->pause(ByteStream::backlog);
}

void Relay::eof(Side& from) {
  from.eof_read = true;
  // Not before: bytes that a peer sent before it closed wholly are still to be read.
  from.stream->watch_hangup(true);
  if (from.finished) return;
  from.other->stream->shutdown_write();
  if (from.other->stream->queued() > 0) return;
  from.finished = true;
  end_if_finished();
}

void Relay::drained(Side& to) {
  Side& from = *to.other;
  from.stream->resume(ByteStream::backlog);
  if (!from.eof_read) return;
  from.finished = true;
  end_if_finished();
}

// It reads nothing more and says nothing more.
void Relay::lost(Side& side, const Error& error) {
  if (error.code == ECONNABORTED) {
    side.finished = side.other->finished = true;
    end_if_finished();
    return;
  }
  side.other->finished = true;
  side.other->stream->resume(ByteStream::backlog);
  if (!side.eof_read && !side.finished) {
    side.eof_read = true;
    side.other->stream->shutdown_write();
    if (side.other->stream->queued() == 0) side.finished = true;
  }
  end_if_finished();
}

void Relay::deaf(Side& to) {
  Side& from = *to.other;
  from.finished = true;
  from.stream->resume(ByteStream::backlog);
  end_if_finished();
}

// True when it has ended, and may be destroyed by now.
bool Relay::end_if_finished() {
  if (!ended_) return true;
  if (!sides_[0].finished || !sides_[1].finished) return false;
  for (Side& side : sides_) side.stream->pause(ByteStream::finished);
  // Moved out: the callback may destroy us, and with us itself.
  const auto ended = std::exchange(ended_, nullptr);
  ended();
  return true;
}

}  // namespace causeway::io
