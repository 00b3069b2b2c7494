// Fuzz target for the link's yamux: two sessions back to back, whose owners and whose transport do
// what the input says, two bytes a step. What must hold for any input:
//  - neither end ever finds that the other violates the protocol;
//  - what arrives is what was written, in order; all of it when it is told as closed by an end
//    that wrote it all before its FIN;
//  - nobody holds more than a window of a stream;
//  - once both ends take, consume and close, nothing is left.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Iagent
//     tests/fuzz/yamux_pair_fuzz.cpp agent/wire/yamux.cpp -o fuzz
//   mkdir corpus && ./fuzz -max_len=2000 corpus
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/yamux.h"

using causeway::wire::kFrameHeader;
using causeway::wire::kFrameLimit;
using causeway::wire::kInitialWindow;
using causeway::wire::Yamux;
using Id = Yamux::StreamId;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

// The byte at `at` of what an end writes on a stream.
char pattern(Id id, bool client, std::size_t at) {
  return static_cast<char>(id * 31 + at * 7 + (at >> 8) + (client ? 1 : 0));
}

struct Stream {
  std::size_t written = 0;
  std::size_t received = 0;
  std::size_t held = 0;
  bool finished = false;  // end_write() or close() was called
  bool was_reset = false;
  bool closed = false;  // here: nothing more may be told
  bool told_eof = false;
  bool told_end = false;
  Yamux::End how = Yamux::End::closed;
};

class End : public Yamux::Handler {
 public:
  End(bool client, Yamux::Limits limits)
      : session(client ? Yamux::Side::client : Yamux::Side::server, limits, *this),
        client_(client),
        window_(limits.window) {}

  void open() {
    const Id id = session.open();
    if (id == 0) return;
    must(streams.emplace(id, Stream()).second);
    live.push_back(id);
  }
  Id pick(std::uint8_t which) const { return live.empty() ? 0 : live[which % live.size()]; }
  void write(Id id, std::size_t size) {
    Stream& stream = streams[id];
    if (stream.finished) return;
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = pattern(id, client_, stream.written++);
    session.write(id, bytes);
  }
  void end_write(Id id) {
    streams[id].finished = true;
    session.end_write(id);
  }
  void close(Id id) {
    Stream& stream = streams[id];
    stream.finished = stream.closed = true;
    forget(id);
    session.close(id);
  }
  void reset(Id id) {
    Stream& stream = streams[id];
    stream.was_reset = stream.closed = true;
    forget(id);
    session.reset(id);
  }
  void consume(Id id, std::size_t size) {
    Stream& stream = streams[id];
    const auto taken = std::min(size, stream.held);
    stream.held -= taken;
    session.consumed(id, taken);
  }

  void on_open(Id id) override {
    must(streams.emplace(id, Stream()).second);
    live.push_back(id);
    react(id);
  }
  void on_data(Id id, std::string_view bytes) override {
    Stream& stream = told(id);
    must(!bytes.empty() && bytes.size() <= kFrameLimit && !stream.told_eof);
    for (const char c : bytes) must(c == pattern(id, !client_, stream.received++));
    must((stream.held += bytes.size()) <= window_);
    react(id);
  }
  void on_eof(Id id) override {
    Stream& stream = told(id);
    must(!std::exchange(stream.told_eof, true));
    react(id);
  }
  void on_end(Id id, Yamux::End how) override {
    Stream& stream = told(id);
    must(how == (stream.told_eof ? Yamux::End::closed : Yamux::End::aborted));
    stream.told_end = true;
    stream.how = how;
    forget(id);
  }
  void on_drained(Id id) override {
    must(!told(id).was_reset && session.queued(id) == 0);
    react(id);
  }
  void on_pong(std::uint32_t) override { must(pings-- > 0); }
  void on_go_away(Yamux::GoAway reason) override { must(reason == Yamux::GoAway::normal); }

  std::map<Id, Stream> streams;
  std::vector<Id> live;
  std::uint8_t reaction = 0;  // what the next calls do from within
  int pings = 0;
  Yamux session;

 private:
  Stream& told(Id id) {
    const auto found = streams.find(id);
    must(found != streams.end() && !found->second.closed && !found->second.told_end);
    return found->second;
  }
  void forget(Id id) { live.erase(std::remove(live.begin(), live.end(), id), live.end()); }
  void react(Id id) {
    switch (std::exchange(reaction, std::uint8_t{0}) % 8) {
      case 1:
        return write(id, 1000);
      case 2:
        return end_write(id);
      case 3:
        return close(id);
      case 4:
        return reset(id);
      case 5:
        return consume(id, SIZE_MAX);
      case 6:
        return open();
      case 7:
        // Any other than the one that is told of.
        if (const Id other = pick(reaction_at_++); other != 0) reset(other);
        return;
      default:
        return;
    }
  }

  const bool client_;
  const std::uint32_t window_;
  std::uint8_t reaction_at_ = 0;
};

class Pair {
 public:
  explicit Pair(std::uint8_t mode)
      : client_(true, limits(mode & 3)), server_(false, limits((mode >> 2) & 3)) {}

  void step(std::uint8_t what, std::uint8_t how) {
    const bool client = (what & 0x80) != 0;
    End& end = client ? client_ : server_;
    const Id id = end.pick(how);
    switch (what & 15) {
      case 0:
        return end.open();
      case 1:
        if (id != 0) end.write(id, (what >> 4 & 7) * 100 + 1);
        return;
      case 2:
        if (id != 0) end.write(id, ((what >> 4 & 7) + 1) * 20'000);
        return;
      case 3:
        if (id != 0) end.end_write(id);
        return;
      case 4:
        if (id != 0) end.close(id);
        return;
      case 5:
        if (id != 0) end.reset(id);
        return;
      case 6:
        if (id != 0) end.consume(id, std::size_t{how} * 1024);
        return;
      case 7:
        if (id != 0) end.consume(id, SIZE_MAX);
        return;
      case 8:
        ++end.pings;
        return end.session.ping(how);
      case 9:
        if (how == 0) end.session.go_away(Yamux::GoAway::normal);
        return;
      case 10:
        end.reaction = how;
        return;
      case 11:
        return take(client, kFrameHeader + kFrameLimit);
      case 12:
        return take(client, kFrameHeader + kFrameLimit + std::size_t{how} * 7);
      case 13:
        return deliver(client, std::size_t{how} + 1);
      case 14:
        return deliver(client, std::size_t{how} * 1021 + 1);
      default:
        take(client, std::size_t{256} * 1024);
        return deliver(client, SIZE_MAX);
    }
  }

  void finish() {
    client_.reaction = server_.reaction = 0;
    settle();
    for (const auto& [id, _] : client_.streams) {
      check(id, client_, server_);
      check(id, server_, client_);
    }
    for (auto* end : {&client_, &server_})
      while (!end->live.empty()) end->close(end->live.front());
    settle();
    must(client_.session.streams() == 0 && server_.session.streams() == 0);
    must(client_.pings == 0 && server_.pings == 0);
  }

 private:
  static Yamux::Limits limits(unsigned mode) {
    Yamux::Limits out;
    if ((mode & 1) != 0) out.window = 3 * kInitialWindow;
    if ((mode & 2) != 0) {
      out.streams = 3;
      out.unconsumed = 100'000;
    }
    return out;
  }

  void take(bool from_client, std::size_t size) {
    std::string& way = from_client ? to_server_ : to_client_;
    const auto before = way.size();
    way.resize(before + size);
    way.resize(before +
               (from_client ? client_ : server_).session.take_output(way.data() + before, size));
  }
  void deliver(bool from_client, std::size_t size) {
    std::string& way = from_client ? to_server_ : to_client_;
    const auto part = std::min(size, way.size());
    must((from_client ? server_ : client_).session.receive({way.data(), part}).ok());
    way.erase(0, part);
  }
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const bool client : {true, false}) {
        End& end = client ? client_ : server_;
        for (const Id id : std::vector<Id>(end.live)) end.consume(id, SIZE_MAX);
        take(client, std::size_t{256} * 1024);
        moved |= !(client ? to_server_ : to_client_).empty() || end.session.has_output();
        deliver(client, SIZE_MAX);
      }
    }
  }
  // What `to` was told of what `from` wrote, when everything has passed.
  static void check(Id id, const End& from, const End& to) {
    const auto sent = from.streams.find(id);
    const auto got = to.streams.find(id);
    if (sent == from.streams.end() || got == to.streams.end() || got->second.closed) return;
    must(got->second.received <= sent->second.written);
    if (sent->second.was_reset || sent->second.told_end) return;
    must(got->second.received == sent->second.written);
    must(got->second.told_eof == sent->second.finished);
    if (sent->second.closed) must(got->second.told_end && got->second.how == Yamux::End::closed);
  }

  End client_;
  End server_;
  std::string to_server_;
  std::string to_client_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Pair pair(data[0]);
  for (std::size_t at = 1; at + 1 < size; at += 2) pair.step(data[at], data[at + 1]);
  pair.finish();
  return 0;
}
