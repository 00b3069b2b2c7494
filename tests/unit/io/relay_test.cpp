// What only streams without a descriptor can do; what a Relay shares with a Splice is in
// relay_and_splice_test.cpp.
#include "io/relay.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "relay_fixture.h"

using namespace causeway;
using io::ByteStream;
using io::Relay;
using io::Stream;
using io::test::drain;
using io::test::offer;
using io::test::pair_of_sockets;
using io::test::pattern;

namespace {

// A stream without a descriptor: the test is its transport and its peer.
class Scripted final : public ByteStream {
 public:
  explicit Scripted(std::vector<std::string>& log) : ByteStream(nullptr), log_(log) {}
  ~Scripted() override { log_.emplace_back("destroyed"); }
  void pause(Pause reason) override { pauses_ |= reason; }
  void resume(Pause reason) override { pauses_ &= ~static_cast<unsigned>(reason); }
  void watch_hangup(bool on) override { watched = on; }
  void write(std::string_view bytes) override { queue.append(bytes); }
  std::size_t queued() const override { return queue.size(); }
  void shutdown_write() override { fin = true; }
  bool write_ended() const override { return fin; }
  bool read_ended() const override { return ended; }
  UniqueFd release(std::string*) override { return {}; }

  Handler& handler() { return *handler_; }
  std::string take() {
    std::string out = std::exchange(queue, {});
    if (!out.empty()) handler_->on_drained();
    return out;
  }

  std::string queue;
  bool watched = false;
  bool fin = false;
  bool ended = false;

 private:
  std::vector<std::string>& log_;
};

// A relay between a stream without a descriptor on the left, and a peer on the right.
struct MixedFixture : causeway::test::LoopFixture {
  std::vector<std::string> log;
  Scripted* left = nullptr;
  UniqueFd right;
  int ended = 0;
  std::unique_ptr<Relay> relay;

  explicit MixedFixture(bool left_ended = false) {
    auto [b, b_end] = pair_of_sockets();
    right = std::move(b);
    auto first = std::make_unique<Scripted>(log);
    left = first.get();
    left->ended = left_ended;
    left->pause(ByteStream::waiting);
    relay = std::make_unique<Relay>(
        loop, std::move(first), std::make_unique<Stream>(loop, std::move(b_end), nullptr), [this] {
          ++ended;
          relay.reset();
        });
  }
  // What has arrived on the right; *eof: behind it, FIN or a close.
  std::string at_right(bool* eof = nullptr) {
    settle();
    return drain(right.get(), eof);
  }
};

}  // namespace

TEST_CASE("io/relay: its streams are gone when its callback has destroyed it") {
  MixedFixture m;
  m.left->handler().on_eof();
  m.right.reset();
  m.settle();
  CHECK(m.ended == 1);
  CHECK(m.log == std::vector<std::string>{"destroyed"});
}

TEST_CASE("io/relay: a stream without a descriptor is resumed, and paused by a slow receiver") {
  MixedFixture m;
  CHECK(m.left->paused());
  m.settle();
  CHECK_FALSE(m.left->paused());
  const std::string piece = pattern(32 << 10);
  std::string sent;
  while (!m.left->paused() && sent.size() < (std::size_t{8} << 20)) {
    m.left->handler().on_data(piece);
    sent += piece;
  }
  CHECK(sent.size() < std::size_t{1} << 20);
  std::string got = m.at_right();
  while (got.size() < sent.size()) got += m.at_right();
  CHECK(got == sent);
  CHECK_FALSE(m.left->paused());
  // And the other way: what the left's transport doesn't take holds the right back.
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += offer(m.right.get(), piece);
    m.settle();
  }
  CHECK(m.left->queued() >= Relay::kLimit);
  CHECK(m.left->queued() <= Relay::kLimit + (64 << 10));
  CHECK(taken > m.left->queued());
  std::size_t arrived = 0;
  while (arrived < taken) {
    arrived += m.left->take().size();
    m.settle();
  }
  CHECK(arrived == taken);
}

TEST_CASE("io/relay: both EOFs read with data queued: it ends when the last byte was taken") {
  MixedFixture m;
  REQUIRE(::send(m.right.get(), "output", 6, 0) == 6);
  ::shutdown(m.right.get(), SHUT_WR);
  m.left->handler().on_eof();
  m.settle();
  CHECK(m.left->queue == "output");
  CHECK(m.left->fin);
  CHECK(m.ended == 0);
  CHECK(m.left->take() == "output");
  CHECK(m.ended == 1);
}

TEST_CASE("io/relay: a side that was at its end before is met at its end") {
  MixedFixture m(true);
  bool eof = false;
  CHECK(m.at_right(&eof).empty());
  CHECK(eof);
  CHECK(m.ended == 0);
  CHECK(m.left->watched);
}

TEST_CASE("io/relay: closed behind its last byte: all is delivered; aborted: the other is cut") {
  for (const bool aborted : {false, true}) {
    CAPTURE(aborted);
    MixedFixture m;
    m.settle();
    const std::string data = pattern(600 << 10);  // more than the socket takes
    m.left->handler().on_data(data);
    if (aborted) {
      m.left->handler().on_read_error({"aborted", ECONNABORTED});
      CHECK(m.ended == 1);
    } else {
      m.left->handler().on_eof();
      CHECK(m.left->watched);
      m.left->handler().on_read_error({"closed", 0});
      CHECK(m.ended == 0);
    }
    std::string got;
    bool eof = false;
    for (int i = 0; i < 100 && !eof; ++i) got += m.at_right(&eof);
    CHECK(eof);
    CHECK(m.ended == 1);
    CHECK((got == data) == !aborted);
  }
}

TEST_CASE("io/relay: an end before its first turn") {
  MixedFixture m;
  m.left->handler().on_read_error({"aborted", ECONNABORTED});
  CHECK(m.ended == 1);
  m.settle();
  CHECK(m.ended == 1);
}
