// What a session costs, counted in allocations of this program, and what a peer can't make it cost.
#include <doctest/doctest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "pair.h"
#include "wire/yamux.h"

using namespace causeway;
using namespace causeway::wire;
using namespace causeway::wire::testing;

namespace {

std::size_t allocations = 0;
std::size_t live_bytes = 0;

// Keeps nothing of what it is told but numbers.
struct Lean : Yamux::Handler {
  explicit Lean(Yamux::Side side, Yamux::Limits limits = {}) : session(side, limits, *this) {}
  void on_open(Id) override {}
  void on_data(Id id, std::string_view bytes) override {
    received += bytes.size();
    session.consumed(id, bytes.size());
    if (echoes) session.write(id, bytes);
  }
  void on_eof(Id id) override {
    if (closes) session.close(id);
  }
  void on_end(Id, Yamux::End) override { ++ended; }
  void on_drained(Id) override {}
  void on_pong(std::uint32_t) override {}
  void on_go_away(Yamux::GoAway) override {}

  bool echoes = false;
  bool closes = false;
  std::size_t received = 0;
  std::size_t ended = 0;
  Yamux session;
};

// Carries output both ways until there is none, without an allocation of its own.
class Transport {
 public:
  bool turn(Lean& from, Lean& to) {
    const auto size = from.session.take_output(buffer_.data(), buffer_.size());
    if (size == 0) return false;
    const auto done = to.session.receive({buffer_.data(), size});
    REQUIRE(done.ok());
    return true;
  }
  void settle(Lean& a, Lean& b) {
    for (;;) {
      const bool there = turn(a, b);
      const bool back = turn(b, a);
      if (!there && !back) return;
    }
  }

 private:
  std::vector<char> buffer_ = std::vector<char>(std::size_t{128} * 1024);
};

}  // namespace

void* operator new(std::size_t size) {
  void* const out = std::malloc(size == 0 ? 1 : size);
  if (out == nullptr) throw std::bad_alloc();
  ++allocations;
  live_bytes += ::malloc_usable_size(out);
  return out;
}
void operator delete(void* at) noexcept {
  if (at == nullptr) return;
  live_bytes -= ::malloc_usable_size(at);
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept { operator delete(at); }

TEST_CASE("wire/yamux: a hundred thousand streams come and go without growth") {
  Lean client(Yamux::Side::client);
  Lean server(Yamux::Side::server);
  server.closes = true;
  Transport transport;
  const auto rounds = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      // Ten at a time, ended in all ways: FIN both ways, close, reset, by either end, at once.
      Id ids[10];
      for (auto& id : ids) {
        id = client.session.open();
        REQUIRE(id != 0);
        client.session.write(id, "what a stream begins with");
      }
      client.session.reset(ids[9]);
      transport.settle(client, server);
      for (int way = 0; way < 9; ++way) {
        const Id id = ids[way];
        if (way % 3 == 0) client.session.end_write(id);
        if (way % 3 == 1) client.session.close(id);
        if (way % 3 == 2) client.session.reset(id);
        if (way >= 6) server.session.write(id, "an answer that comes late");
        if (way == 4) server.session.reset(id);
      }
      transport.settle(client, server);
      REQUIRE(client.session.streams() + server.session.streams() == 0);
    }
  };
  rounds(100);
  const auto before = live_bytes;
  rounds(10'000);
  CHECK(live_bytes <= before + 1024);
}

TEST_CASE("wire/yamux: a stream that idles costs less than 300 bytes an end") {
  Lean client(Yamux::Side::client);
  Lean server(Yamux::Side::server);
  Transport transport;
  constexpr std::size_t kStreams = 1000;
  const auto before = live_bytes;
  for (std::size_t i = 0; i < kStreams; ++i) {
    const auto id = client.session.open();
    client.session.write(id, std::string(10'000, 'x'));
    transport.settle(client, server);
    server.session.write(id, std::string(10'000, 'x'));
    transport.settle(client, server);
  }
  REQUIRE(server.session.streams() == kStreams);
  CHECK((live_bytes - before) / kStreams < 2 * 300);
}

TEST_CASE("wire/yamux: moving data allocates nothing") {
  Lean client(Yamux::Side::client);
  Lean server(Yamux::Side::server);
  Transport transport;
  std::vector<Id> ids(64);
  for (auto& id : ids) id = client.session.open();
  std::string piece;
  SUBCASE("short messages and their echoes") {
    server.echoes = true;
    piece.assign(200, 'x');
  }
  SUBCASE("long ones") { piece.assign(64 * 1024, 'x'); }
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      for (const auto id : ids) client.session.write(id, piece);
      transport.settle(client, server);
    }
  };
  rounds(10);
  const auto before = allocations;
  rounds(100);
  CHECK(allocations == before);
  CHECK(server.received == 110 * ids.size() * piece.size());
}

TEST_CASE("wire/yamux: a peer that never takes anything can't make the session grow") {
  Yamux::Limits limits;
  limits.streams = 100;
  limits.control_frames = 100;
  Peer server(Yamux::Side::server, limits);
  std::string error;
  Id id = 1;
  const auto feed = [&](unsigned first, unsigned then) {
    error = server.feed(frame(1, first, id, 0) + (then == 0 ? "" : frame(1, then, id, 0)));
    id += 2;
  };
  SUBCASE("by streams that it opens and aborts") {
    Lean lean(Yamux::Side::server, limits);
    std::string flood;
    const auto rounds = [&](int count) {
      for (int i = 0; i < count; ++i, id += 2) {
        flood = frame(1, kSyn, id, 0) + frame(1, kRst, id, 0);
        REQUIRE(lean.session.receive(flood).ok());
      }
    };
    rounds(100);
    const auto before = live_bytes;
    rounds(100'000);
    CHECK(live_bytes <= before + 1024);
    CHECK(lean.ended == 100'100);
    CHECK_FALSE(lean.session.has_output());
  }
  SUBCASE("by streams that are reset here") {
    server.opening = [&](Id which) { server.session.reset(which); };
    for (int i = 0; i < 201; ++i) {
      feed(kSyn, 0);
      REQUIRE(error == "");
    }
    feed(kSyn, 0);
    CHECK(error == "link: the peer floods the link with streams");
    CHECK(server.output() == frame(3, 0, 0, 1));
  }
  SUBCASE("and one that takes it may go on") {
    server.opening = [&](Id which) { server.session.reset(which); };
    for (int i = 0; i < 1000; ++i) {
      feed(kSyn, 0);
      REQUIRE(error == "");
      REQUIRE(server.output() == frame(1, kRst, id - 2, 0));
    }
  }
}

TEST_CASE("wire/yamux: a small stream passes a gigabyte at every point") {
  Lean client(Yamux::Side::client);
  Lean server(Yamux::Side::server);
  constexpr std::size_t kTotal = std::size_t{1} << 30;
  const std::string piece(std::size_t{128} * 1024, 'x');
  const auto large = client.session.open();
  const auto small = client.session.open();
  std::vector<char> one(kFrameHeader + kFrameLimit);
  std::size_t written = 0;
  std::size_t frames = 0;
  int waiting = 0;  // frames since the small stream has something to send
  int longest = 0;
  while (written < kTotal || client.session.has_output()) {
    if (written < kTotal && client.session.queued(large) < piece.size()) {
      client.session.write(large, piece);
      written += piece.size();
    }
    if (frames % 50 == 49) client.session.write(small, "ping");
    const auto size = client.session.take_output(one.data(), one.size());
    REQUIRE(size > 0);
    ++frames;
    REQUIRE(server.session.receive({one.data(), size}).ok());
    waiting = client.session.queued(small) > 0 ? waiting + 1 : 0;
    longest = std::max(longest, waiting);
    const auto back = server.session.take_output(one.data(), one.size());
    REQUIRE(client.session.receive({one.data(), back}).ok());
  }
  CHECK(longest <= 1);
  CHECK(server.received == kTotal + 4 * (frames / 50));
  CHECK(frames > kTotal / kFrameLimit);
}
