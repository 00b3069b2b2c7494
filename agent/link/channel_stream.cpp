#include "link/channel_stream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace causeway::link {
namespace {
// What was held is handed on in pieces as large as a read: so its owner's limits hold.
constexpr std::size_t kPiece = std::size_t{64} * 1024;
}  // namespace

ChannelStream::ChannelStream(Owner& owner, Id id)
    : ByteStream(nullptr), owner_(&owner), id_(id), loop_(owner.loop()) {}

ChannelStream::~ChannelStream() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (owner_ == nullptr) return;
  if (id_ != 0) {
    if (queued() == 0) {
      owner_->yamux().close(id_);
    } else {
      owner_->yamux().reset(id_);
    }
    owner_->destroyed(id_);
    owner_->flush_soon();
  }
}

void ChannelStream::abort() {
  if (owner_ == nullptr || id_ == 0) return;
  owner_->yamux().reset(id_);
  owner_->destroyed(std::exchange(id_, 0));
  owner_->flush_soon();
}

void ChannelStream::pause(Pause reason) { pauses_ |= reason; }

void ChannelStream::resume(Pause reason) {
  if ((pauses_ & reason) == 0) return;
  pauses_ &= ~static_cast<unsigned>(reason);
  if (pauses_ == 0 && !read_dead_ && (held() > 0 || peer_ != Peer::writes)) deliver_soon();
}

void ChannelStream::watch_hangup(bool on) {
  watch_hangup_ = on;
  if (on && peer_ == Peer::closed && !end_told_) deliver_soon();
}

void ChannelStream::write(std::string_view bytes) {
  if (write_dead_ || fin_ || bytes.empty()) return;
  if (id_ == 0) return fail_write_soon();
  owner_->yamux().write(id_, bytes);
  owner_->flush_soon();
}

std::size_t ChannelStream::queued() const {
  return id_ == 0 || owner_ == nullptr ? 0 : owner_->yamux().queued(id_);
}

void ChannelStream::shutdown_write() {
  if (write_dead_ || std::exchange(fin_, true) || id_ == 0) return;
  owner_->yamux().end_write(id_);
  owner_->flush_soon();
}

void ChannelStream::received(std::string_view bytes) {
  if (pauses_ != 0 || held() > 0) {
    held_.append(bytes);
    return;
  }
  bool gone = false;
  auto* const outer = std::exchange(destroyed_, &gone);
  handler_->on_data(bytes);
  if (gone) {
    if (outer != nullptr) *outer = true;
    return;
  }
  destroyed_ = outer;
  if (id_ != 0) owner_->yamux().consumed(id_, bytes.size());
}

void ChannelStream::peer_finished() {
  peer_ = Peer::finished;
  deliver();
}

void ChannelStream::peer_ended(wire::Yamux::End how) {
  const bool unsent = queued() > 0;
  id_ = 0;
  peer_ = how == wire::Yamux::End::closed ? Peer::closed : Peer::aborted;
  if (unsent && peer_ == Peer::closed && !watch_hangup_) fail_write_soon();
  deliver();
}

void ChannelStream::link_lost() {
  owner_ = nullptr;
  id_ = 0;
  // A peer that had closed before has said all.
  if (peer_ != Peer::closed) peer_ = Peer::aborted;
  deliver();
}

void ChannelStream::drained() {
  if (!write_dead_) handler_->on_drained();
}

// What has arrived, then the end, in order, as far as the owner takes it.
void ChannelStream::deliver() {
  bool gone = false;
  auto* const outer = std::exchange(destroyed_, &gone);
  const auto back = [&] {
    if (gone && outer != nullptr) *outer = true;
    if (!gone) destroyed_ = outer;
  };
  while (held() > 0 && pauses_ == 0 && peer_ != Peer::aborted) {
    // Moved out: what arrives during the call is appended to another text.
    const std::string piece = held_.substr(held_taken_, kPiece);
    held_taken_ += piece.size();
    if (held() == 0) {
      std::string().swap(held_);
      held_taken_ = 0;
    }
    handler_->on_data(piece);
    if (gone) return back();
    if (id_ != 0) {
      owner_->yamux().consumed(id_, piece.size());
      if (owner_->yamux().has_output()) owner_->flush_soon();
    }
  }
  if (peer_ == Peer::aborted) {
    if (!std::exchange(end_told_, true)) {
      read_dead_ = write_dead_ = true;
      std::string().swap(held_);
      held_taken_ = 0;
      handler_->on_read_error(Error{"the peer aborted the stream", ECONNABORTED});
    }
    return back();
  }
  if (!read_dead_ && peer_ != Peer::writes && held() == 0 && pauses_ == 0) {
    read_dead_ = true;
    handler_->on_eof();
    if (gone) return back();
  }
  if (peer_ == Peer::closed && watch_hangup_ && !std::exchange(end_told_, true)) {
    read_dead_ = write_dead_ = true;
    std::string().swap(held_);
    held_taken_ = 0;
    handler_->on_read_error(make_error("the peer closed the stream"));
  }
  back();
}

void ChannelStream::deliver_soon() {
  loop_.defer(lifetime_.guard([this] { deliver(); }));
}

void ChannelStream::fail_write_soon() {
  write_dead_ = true;
  loop_.defer(lifetime_.guard([this] { handler_->on_write_error(errno_error("write", EPIPE)); }));
}

}  // namespace causeway::link
