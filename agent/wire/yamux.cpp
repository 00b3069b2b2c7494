#include "wire/yamux.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace causeway::wire {
namespace {

using StreamId = Yamux::StreamId;

enum Type : std::uint8_t { data = 0, window_update = 1, ping = 2, go_away = 3 };
enum Flag : std::uint16_t { syn = 1, ack = 2, fin = 4, rst = 8 };
constexpr std::uint16_t kAllFlags = syn | ack | fin | rst;

// The specification's reference reopens a window at half, too: fewer frames, and the sender never
// waits while its peer keeps up.
constexpr std::uint32_t kReopenDivisor = 2;
// A queue that was sent to here is moved to its front: each byte is moved once at most.
constexpr std::size_t kCompactAt = std::size_t{64} * 1024;
// A queue that has been this long once gives its memory away when it is empty: to the session, for
// the next queue that grows. The system takes freed memory back and hands it out zeroed, which
// costs more than all the rest (measured with 64 busy streams: 20 times as much).
constexpr std::size_t kKeepQueueBytes = 1024;
// What the session keeps: 64 streams with what a socket is read in.
constexpr std::size_t kSpareBytes = std::size_t{4} << 20;
constexpr std::size_t kSpareQueueBytes = std::size_t{256} * 1024;  // none longer

struct Header {
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  StreamId stream = 0;
  std::uint32_t length = 0;
};

void put(char* out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
}

std::uint32_t get(const char* in, int bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value = (value << 8) | static_cast<unsigned char>(in[i]);
  return value;
}

void put_header(char* out, const Header& header) {
  out[0] = 0;
  out[1] = static_cast<char>(header.type);
  put(out + 2, header.flags, 2);
  put(out + 4, header.stream, 4);
  put(out + 8, header.length, 4);
}

struct Stream;
// A stream's hook in a list that it leaves when it goes: a list never names one that is gone, so
// none grows by streams that come and go.
struct ListHook {
  Stream* before = nullptr;
  Stream* behind = nullptr;
  bool taken = false;
};

struct Stream {
  StreamId id = 0;
  std::string queue;
  std::size_t sent = 0;  // of the queue
  std::uint32_t send_window = kInitialWindow;
  std::uint32_t receive_window = 0;  // what the peer may still send
  std::uint32_t unconsumed = 0;
  std::uint32_t owed = 0;      // consumed, and not yet told the peer
  std::uint16_t announce = 0;  // SYN or ACK: goes with the next frame
  ListHook ready;              // in State::ready
  ListHook update;             // in State::updates
  ListHook withheld;           // in State::withheld
  bool fin_wanted = false;
  bool fin_sent = false;
  bool fin_received = false;
  bool closing = false;  // nobody is told of it any more
  std::size_t queued() const { return queue.size() - sent; }
};

template <ListHook Stream::*hook>
class List {
 public:
  bool empty() const { return first_ == nullptr; }
  void push_back(Stream& stream) { insert(stream, last_, nullptr); }
  void push_front(Stream& stream) { insert(stream, nullptr, first_); }
  void remove(Stream& stream) {
    ListHook& at = stream.*hook;
    if (!at.taken) return;
    (at.before == nullptr ? first_ : (at.before->*hook).behind) = at.behind;
    (at.behind == nullptr ? last_ : (at.behind->*hook).before) = at.before;
    at = {};
  }
  Stream& pop_front() {
    Stream& stream = *first_;
    remove(stream);
    return stream;
  }

 private:
  // Nothing when it is in already.
  void insert(Stream& stream, Stream* before, Stream* behind) {
    ListHook& at = stream.*hook;
    if (at.taken) return;
    at = {before, behind, true};
    (before == nullptr ? first_ : (before->*hook).behind) = &stream;
    (behind == nullptr ? last_ : (behind->*hook).before) = &stream;
  }
  Stream* first_ = nullptr;
  Stream* last_ = nullptr;
};

}  // namespace

struct Yamux::State {
  State(Side own_side, Limits wanted, Handler& told)
      : side(own_side), limits(wanted), handler(told), next_id(own_side == Side::client ? 1 : 2) {
    limits.window = std::max(limits.window, kInitialWindow);
  }

  Stream* find(StreamId id) {
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : &found->second;
  }
  bool is_own(StreamId id) const { return (id % 2 == 1) == (side == Side::client); }

  Stream& add(StreamId id, std::uint16_t announce) {
    Stream& stream = streams[id];
    stream.id = id;
    stream.announce = announce;
    stream.receive_window = kInitialWindow;
    stream.owed = limits.window - kInitialWindow;
    ready.push_back(stream);
    return stream;
  }
  void remove(Stream& stream) {
    const auto held = stream.unconsumed;
    ready.remove(stream);
    updates.remove(stream);
    withheld.remove(stream);
    release(stream.queue);
    streams.erase(stream.id);
    give_back(held);
  }

  bool sendable(const Stream& stream) const {
    if (stream.announce != 0) return true;
    if (stream.queued() > 0) return stream.send_window > 0;
    return stream.fin_wanted && !stream.fin_sent;
  }
  void wake(Stream& stream) {
    if (sendable(stream)) ready.push_back(stream);
  }

  // Takes a long queue's memory away from it.
  void release(std::string& queue) {
    if (queue.capacity() <= kKeepQueueBytes) return;
    if (queue.capacity() > kSpareQueueBytes || spare_bytes + queue.capacity() > kSpareBytes)
      return std::string().swap(queue);
    queue.clear();
    spare_bytes += queue.capacity();
    spares.emplace_back().swap(queue);
  }
  void append(Stream& stream, std::string_view bytes) {
    if (stream.sent >= kCompactAt && stream.sent >= stream.queued()) {
      stream.queue.erase(0, stream.sent);
      stream.sent = 0;
    }
    if (stream.queue.empty() && bytes.size() > stream.queue.capacity() && !spares.empty()) {
      spare_bytes -= spares.back().capacity();
      stream.queue = std::move(spares.back());
      spares.pop_back();
    }
    stream.queue.append(bytes);
  }

  void give_back(std::uint32_t bytes) {
    const bool above = unconsumed > limits.unconsumed;
    unconsumed -= bytes;
    if (!above || unconsumed > limits.unconsumed) return;
    while (!withheld.empty()) reopen(withheld.pop_front());
  }
  void reopen(Stream& stream) {
    if (stream.owed < limits.window / kReopenDivisor || stream.fin_received) return;
    if (unconsumed > limits.unconsumed)
      withheld.push_back(stream);
    else
      updates.push_back(stream);
  }
  void consumed(Stream& stream, std::size_t bytes) {
    const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, stream.unconsumed));
    if (taken == 0) return;
    stream.unconsumed -= taken;
    stream.owed += taken;
    give_back(taken);
    reopen(stream);
  }

  Status answer(Header header) {
    if (answers.size() >= limits.control_frames)
      return fail("the peer floods the link with frames that want an answer");
    answers.push_back(header);
    return Ok{};
  }
  void say_rst(StreamId id) { control_frames.push_back({window_update, rst, id, 0}); }
  Status fail(std::string why) {
    dead = true;
    answers.clear();
    control_frames.assign(
        1, {Type::go_away, 0, 0, static_cast<std::uint32_t>(GoAway::protocol_error)});
    return make_error("link: " + std::move(why));
  }

  // receiving
  Status on_header(const Header& header);
  Status on_stream_header(const Header& header);
  Status on_syn(const Header& header);
  void on_payload(std::string_view bytes);
  void on_flags(StreamId id, std::uint16_t flags);

  // sending
  std::size_t send_stream(Stream& stream, char* out, std::size_t space, bool* fits);
  std::size_t send_data(Stream& stream, char* out, std::size_t space, bool* fits);
  void fin_went(Stream& stream);

  const Side side;
  Limits limits;
  Handler& handler;
  std::unordered_map<StreamId, Stream> streams;
  std::deque<Header> answers;         // the peer asked for them: bounded
  std::deque<Header> control_frames;  // of this end
  List<&Stream::ready> ready;         // streams with something to send
  List<&Stream::update> updates;      // windows to reopen
  List<&Stream::withheld> withheld;   // windows to reopen once less is held
  std::vector<std::string> spares;    // empty, with memory
  std::size_t spare_bytes = 0;
  std::uint64_t next_id;  // 64 bits: it may pass the last one
  StreamId last_of_peer = 0;
  std::size_t unconsumed = 0;
  bool dead = false;
  bool accepting = true;
  bool peer_accepts = true;

  std::array<char, kFrameHeader> head{};
  std::size_t head_size = 0;
  StreamId payload_of = 0;  // 0: dropped
  std::uint32_t payload_left = 0;
  std::uint16_t payload_flags = 0;  // FIN and RST of a data frame count behind its bytes
};

Yamux::Yamux(Side side, Limits limits, Handler& handler)
    : state_(std::make_unique<State>(side, limits, handler)) {}
Yamux::~Yamux() = default;

Status Yamux::receive(std::string_view bytes) {
  State& state = *state_;
  while (!bytes.empty() && !state.dead) {
    if (state.payload_left > 0) {
      const auto part = bytes.substr(0, std::min<std::size_t>(state.payload_left, bytes.size()));
      bytes.remove_prefix(part.size());
      state.payload_left -= static_cast<std::uint32_t>(part.size());
      state.on_payload(part);
      if (state.payload_left == 0 && state.payload_flags != 0 && state.payload_of != 0)
        state.on_flags(state.payload_of, state.payload_flags);
      continue;
    }
    const char* head = bytes.data();
    if (state.head_size > 0 || bytes.size() < kFrameHeader) {
      const auto more = std::min(kFrameHeader - state.head_size, bytes.size());
      std::memcpy(state.head.data() + state.head_size, bytes.data(), more);
      state.head_size += more;
      bytes.remove_prefix(more);
      if (state.head_size < kFrameHeader) break;
      state.head_size = 0;
      head = state.head.data();
    } else {
      bytes.remove_prefix(kFrameHeader);
    }
    if (head[0] != 0)
      return state.fail("the peer speaks version " +
                        std::to_string(static_cast<unsigned char>(head[0])) +
                        " of yamux; this end knows version 0");
    const Header header{static_cast<std::uint8_t>(head[1]),
                        static_cast<std::uint16_t>(get(head + 2, 2)), get(head + 4, 4),
                        get(head + 8, 4)};
    if (auto done = state.on_header(header); !done) return done;
  }
  return Ok{};
}

Status Yamux::State::on_header(const Header& header) {
  if ((header.flags & ~kAllFlags) != 0)
    return fail("a frame with unknown flags " + std::to_string(header.flags));
  switch (header.type) {
    case data:
    case window_update:
      if (header.stream == 0) return fail("a frame of a stream without a stream");
      return on_stream_header(header);
    case Type::ping:
      if (header.stream != 0) return fail("a ping of a stream");
      if (header.flags == syn) return answer({Type::ping, ack, 0, header.length});
      if (header.flags != ack) return fail("a ping that is neither a question nor an answer");
      handler.on_pong(header.length);
      return Ok{};
    case Type::go_away:
      if (header.stream != 0) return fail("a farewell of a stream");
      peer_accepts = false;
      handler.on_go_away(static_cast<GoAway>(header.length));
      return Ok{};
    default:
      return fail("a frame of unknown type " + std::to_string(header.type));
  }
}

Status Yamux::State::on_stream_header(const Header& header) {
  if ((header.flags & syn) != 0) {
    if (auto done = on_syn(header); !done) return done;
  } else if (is_own(header.stream) ? header.stream >= next_id : header.stream > last_of_peer) {
    return fail("a frame of the stream " + std::to_string(header.stream) +
                ", which was never opened");
  }
  Stream* stream = find(header.stream);
  if (header.type == window_update) {
    if (stream != nullptr && header.length > 0) {
      if (header.length > UINT32_MAX - stream->send_window)
        return fail("a window that was opened beyond all bounds");
      stream->send_window += header.length;
      wake(*stream);
    }
    on_flags(header.stream, header.flags);
    return Ok{};
  }
  payload_left = header.length;
  payload_flags = header.flags & (fin | rst);
  payload_of = stream == nullptr ? 0 : header.stream;
  if (stream == nullptr) {
    // Of a stream that was closed here: the peer has not heard of it yet. What it may have sent by
    // then is its window.
    if (header.length > limits.window) return fail("a frame that is larger than any window");
    return Ok{};
  }
  if (stream->fin_received && header.length > 0) return fail("data behind the end of a stream");
  if (header.length > stream->receive_window)
    return fail("the peer sent " + std::to_string(header.length - stream->receive_window) +
                " bytes more than the window of a stream");
  stream->receive_window -= header.length;
  if (header.length == 0) on_flags(header.stream, payload_flags);
  return Ok{};
}

Status Yamux::State::on_syn(const Header& header) {
  if (is_own(header.stream))
    return fail("the peer opened stream " + std::to_string(header.stream) +
                ", a number of this end's");
  if (header.stream <= last_of_peer)
    return fail("the peer opened stream " + std::to_string(header.stream) + " again");
  // RST that the owner answers with wait, too, and are bounded by nothing else: what it has reset
  // is open no more. As many as there may be streams can come of them without a new one.
  if (control_frames.size() > limits.control_frames + limits.streams)
    return fail("the peer floods the link with streams");
  last_of_peer = header.stream;
  if (!accepting || streams.size() >= limits.streams)
    return answer({window_update, rst, header.stream, 0});
  add(header.stream, ack);
  handler.on_open(header.stream);
  return Ok{};
}

void Yamux::State::on_payload(std::string_view bytes) {
  Stream* stream = payload_of == 0 ? nullptr : find(payload_of);
  if (stream == nullptr) return;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  stream->unconsumed += size;
  unconsumed += size;
  // Dropped, but not to be waited for: the peer may have to end its writing before it reads.
  if (stream->closing) return consumed(*stream, size);
  handler.on_data(payload_of, bytes);
}

void Yamux::State::on_flags(StreamId id, std::uint16_t flags) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if ((flags & fin) != 0 && !std::exchange(stream->fin_received, true)) {
    if (!stream->closing) handler.on_eof(id);
    stream = find(id);
    if (stream == nullptr) return;
  }
  const bool reset = (flags & rst) != 0;
  const bool both_fins = stream->fin_received && stream->fin_sent;
  if (!reset && !both_fins) return;
  const bool told = !stream->closing;
  const End how = stream->fin_received ? End::closed : End::aborted;
  remove(*stream);
  if (told) handler.on_end(id, how);
}

StreamId Yamux::open() {
  State& state = *state_;
  if (state.dead || !state.peer_accepts || state.streams.size() >= state.limits.streams ||
      state.next_id > state.limits.last_id)
    return 0;
  const auto id = static_cast<StreamId>(state.next_id);
  state.next_id += 2;
  state.add(id, syn);
  return id;
}

void Yamux::write(StreamId id, std::string_view bytes) {
  Stream* stream = state_->find(id);
  if (stream == nullptr || stream->fin_wanted || bytes.empty()) return;
  state_->append(*stream, bytes);
  state_->wake(*stream);
}

void Yamux::end_write(StreamId id) {
  Stream* stream = state_->find(id);
  if (stream == nullptr || std::exchange(stream->fin_wanted, true)) return;
  state_->wake(*stream);
}

void Yamux::close(StreamId id) {
  Stream* stream = state_->find(id);
  if (stream == nullptr || std::exchange(stream->closing, true)) return;
  stream->fin_wanted = true;
  if (stream->fin_sent) {
    state_->say_rst(id);  // behind FIN
    return state_->remove(*stream);
  }
  state_->consumed(*stream, stream->unconsumed);  // nobody will take it any more
  state_->wake(*stream);
}

void Yamux::reset(StreamId id) {
  Stream* stream = state_->find(id);
  if (stream == nullptr) return;
  // The peer has not heard of one whose SYN has not gone.
  if ((stream->announce & syn) == 0) state_->say_rst(id);
  state_->remove(*stream);
}

std::size_t Yamux::queued(StreamId id) const {
  const Stream* stream = state_->find(id);
  return stream == nullptr ? 0 : stream->queued();
}

void Yamux::consumed(StreamId id, std::size_t bytes) {
  if (Stream* stream = state_->find(id); stream != nullptr) state_->consumed(*stream, bytes);
}

void Yamux::ping(std::uint32_t value) {
  if (!state_->dead) state_->control_frames.push_back({Type::ping, syn, 0, value});
}

void Yamux::go_away(GoAway reason) {
  state_->accepting = false;
  if (!state_->dead)
    state_->control_frames.push_back({Type::go_away, 0, 0, static_cast<std::uint32_t>(reason)});
}

std::size_t Yamux::take_output(char* out, std::size_t size) {
  State& state = *state_;
  std::size_t used = 0;
  const auto room = [&] { return size - used >= kFrameHeader; };
  const auto frame = [&](const Header& header) {
    put_header(out + used, header);
    used += kFrameHeader;
  };
  for (auto* frames : {&state.answers, &state.control_frames}) {
    while (!frames->empty() && room()) {
      frame(frames->front());
      frames->pop_front();
    }
  }
  if (state.dead) return used;
  while (!state.updates.empty() && room()) {
    Stream& stream = state.updates.pop_front();
    if (stream.owed == 0) continue;
    stream.receive_window += stream.owed;
    frame({window_update, std::exchange(stream.announce, std::uint16_t{0}), stream.id,
           std::exchange(stream.owed, 0U)});
  }
  bool fits = true;
  while (!state.ready.empty() && fits && room())
    used += state.send_stream(state.ready.pop_front(), out + used, size - used, &fits);
  return used;
}

// One frame of a stream that was taken off the list. *fits: false when it must wait for the next
// output. The stream may be gone afterwards.
std::size_t Yamux::State::send_stream(Stream& stream, char* out, std::size_t space, bool* fits) {
  const auto id = stream.id;
  if (stream.queued() > 0 && stream.send_window > 0 &&
      (stream.announce == 0 || stream.owed < limits.window / kReopenDivisor)) {
    return send_data(stream, out, space, fits);
  }
  if (stream.announce != 0) {
    // A window that is larger than the specification's first one is told here, too.
    const auto opens = stream.withheld.taken ? 0U : std::exchange(stream.owed, 0U);
    stream.receive_window += opens;
    put_header(out, {window_update, std::exchange(stream.announce, std::uint16_t{0}), id, opens});
    wake(stream);
    return kFrameHeader;
  }
  if (stream.queued() > 0 || !stream.fin_wanted || stream.fin_sent) return 0;
  const bool both = stream.closing && !stream.fin_received;
  if (both && space < 2 * kFrameHeader) {
    ready.push_front(stream);
    *fits = false;
    return 0;
  }
  put_header(out, {window_update, fin, id, 0});
  if (both) put_header(out + kFrameHeader, {window_update, rst, id, 0});
  fin_went(stream);
  return (both ? 2 : 1) * kFrameHeader;
}

std::size_t Yamux::State::send_data(Stream& stream, char* out, std::size_t space, bool* fits) {
  const auto length = std::min({stream.queued(), std::size_t{stream.send_window}, kFrameLimit});
  if (space < kFrameHeader + length) {
    ready.push_front(stream);
    *fits = false;
    return 0;
  }
  put_header(out, {data, std::exchange(stream.announce, std::uint16_t{0}), stream.id,
                   static_cast<std::uint32_t>(length)});
  std::memcpy(out + kFrameHeader, stream.queue.data() + stream.sent, length);
  stream.sent += length;
  stream.send_window -= static_cast<std::uint32_t>(length);
  const bool drained = stream.queued() == 0;
  if (drained) {
    stream.sent = 0;
    stream.queue.clear();
    release(stream.queue);
  }
  wake(stream);
  if (drained && !stream.closing) handler.on_drained(stream.id);
  return kFrameHeader + length;
}

// Behind FIN: a stream that is closed here, or whose other end came first, is over.
void Yamux::State::fin_went(Stream& stream) {
  stream.fin_sent = true;
  const bool both_fins = stream.fin_received;
  if (!both_fins && !stream.closing) return;
  const auto id = stream.id;
  const bool told = !stream.closing;
  remove(stream);
  if (told) handler.on_end(id, End::closed);
}

bool Yamux::has_output() const {
  const State& state = *state_;
  return !state.answers.empty() || !state.control_frames.empty() ||
         (!state.dead && (!state.updates.empty() || !state.ready.empty()));
}

std::size_t Yamux::streams() const { return state_->streams.size(); }

}  // namespace causeway::wire
