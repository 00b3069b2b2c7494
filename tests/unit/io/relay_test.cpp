// The cases of splice_test.cpp for a Relay, and what only streams without a descriptor can do.
#include "io/relay.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/settle.h"
#include "io/stream.h"

using namespace causeway;
using io::ByteStream;
using io::Loop;
using io::Relay;
using io::Stream;

namespace {

std::pair<UniqueFd, UniqueFd> pair_of_sockets() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 253) & 0xff);
  return bytes;
}

// A stream without a descriptor: the test is its carrier and its peer.
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

// A relay between two peers that the test plays, `left` and `right`.
struct Fixture {
  Loop loop;
  UniqueFd left;
  UniqueFd right;
  int ended = 0;
  std::unique_ptr<Relay> relay;

  explicit Fixture(std::string_view to_left = {}, std::string_view to_right = {}) {
    auto [a, a_end] = pair_of_sockets();
    auto [b, b_end] = pair_of_sockets();
    left = std::move(a);
    right = std::move(b);
    auto first = std::make_unique<Stream>(loop, std::move(a_end), nullptr);
    auto second = std::make_unique<Stream>(loop, std::move(b_end), nullptr);
    first->write(to_left);
    second->write(to_right);
    relay = std::make_unique<Relay>(loop, std::move(first), std::move(second), [this] { end(); });
  }

  // As an owner does it: what has ended goes, outside of its own callback.
  void end() {
    ++ended;
    loop.defer([this] { relay.reset(); });
  }
  void settle() { causeway::test::settle(loop); }
  std::string drain(int fd, bool* eof = nullptr) {
    std::string got;
    std::array<char, 65536> buffer{};
    for (;;) {
      const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0) {
        got.append(buffer.data(), static_cast<std::size_t>(n));
        continue;
      }
      if (eof != nullptr) *eof = n == 0;
      return got;
    }
  }
  void send(int fd, std::string_view bytes) {
    REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
};

// The same with a stream without a descriptor on the left.
struct MixedFixture {
  Loop loop;
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
  void settle() { causeway::test::settle(loop); }
  // What has arrived on the right; *eof: behind it, FIN or a close.
  std::string at_right(bool* eof = nullptr) {
    settle();
    std::string got(1 << 22, '\0');
    std::size_t size = 0;
    for (;;) {
      const ssize_t n = ::recv(right.get(), got.data() + size, got.size() - size, MSG_DONTWAIT);
      if (n <= 0) {
        if (eof != nullptr) *eof = n == 0;
        got.resize(size);
        return got;
      }
      size += static_cast<std::size_t>(n);
    }
  }
};

}  // namespace

TEST_CASE("io/relay: bytes pass both ways, those already queued first") {
  Fixture f("to left, ", "to right, ");
  f.send(f.left.get(), "from left");
  f.send(f.right.get(), "from right");
  f.settle();
  CHECK(f.drain(f.left.get()) == "to left, from right");
  CHECK(f.drain(f.right.get()) == "to right, from left");
  CHECK(f.ended == 0);
}

TEST_CASE("io/relay: half-close passes, the other way goes on, both end it") {
  for (const bool left_first : {true, false}) {
    CAPTURE(left_first);
    Fixture f;
    const int first = left_first ? f.left.get() : f.right.get();
    const int second = left_first ? f.right.get() : f.left.get();
    f.send(first, "last");
    ::shutdown(first, SHUT_WR);
    f.settle();
    bool eof = false;
    CHECK(f.drain(second, &eof) == "last");
    CHECK(eof);
    CHECK(f.ended == 0);
    f.send(second, "answer");
    f.settle();
    CHECK(f.drain(first, &eof) == "answer");
    CHECK_FALSE(eof);
    ::shutdown(second, SHUT_WR);
    f.settle();
    CHECK(f.drain(first, &eof).empty());
    CHECK(eof);
    CHECK(f.ended == 1);
  }
}

TEST_CASE("io/relay: slow readers lose nothing, and it ends only when all was sent") {
  const std::string data = pattern(2 << 20);
  Fixture f;
  std::array<int, 2> fds = {f.left.get(), f.right.get()};
  std::array<std::size_t, 2> sent{};
  std::array<std::string, 2> got;
  std::array<bool, 2> eof{};
  for (int round = 0; round < 10000 && (f.ended == 0 || !eof[0] || !eof[1]); ++round) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (sent[i] < data.size()) {
        const ssize_t n = ::send(fds[i], data.data() + sent[i], data.size() - sent[i],
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) sent[i] += static_cast<std::size_t>(n);
        if (sent[i] == data.size()) ::shutdown(fds[i], SHUT_WR);
      }
    }
    f.settle();
    if (f.ended == 1) {
      CHECK(sent[0] == data.size());
      CHECK(sent[1] == data.size());
    }
    for (std::size_t i = 0; i < 2; ++i) {
      std::array<char, 30000> buffer{};
      const ssize_t n = ::recv(fds[i], buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0) got[i].append(buffer.data(), static_cast<std::size_t>(n));
      if (n == 0) eof[i] = true;
    }
  }
  CHECK(f.ended == 1);
  CHECK(got[0] == data);
  CHECK(got[1] == data);
}

TEST_CASE("io/relay: a peer that closes wholly ends it, though the other side is silent") {
  for (const bool left_goes : {true, false}) {
    for (const char* last : {"", "bye"}) {
      CAPTURE(left_goes);
      CAPTURE(last);
      Fixture f;
      UniqueFd& goes = left_goes ? f.left : f.right;
      UniqueFd& stays = left_goes ? f.right : f.left;
      f.send(goes.get(), last);
      goes.reset();
      f.settle();
      CHECK(f.ended == 1);
      bool eof = false;
      CHECK(f.drain(stays.get(), &eof) == last);
      CHECK(eof);
    }
  }
}

TEST_CASE("io/relay: first half-close, then gone") {
  Fixture f;
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 0);
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE("io/relay: reset by peer (closed with unread bytes) ends it, its last bytes arrive") {
  Fixture f;
  f.send(f.right.get(), "never read");
  f.settle();
  f.send(f.left.get(), "last words");
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(f.drain(f.right.get()) == "last words");
}

TEST_CASE("io/relay: a peer that is gone while bytes for it are queued ends it") {
  Fixture f;
  const std::string data = pattern(1 << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    const ssize_t n = ::send(f.right.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
    f.settle();
  }
  CHECK(sent > 0);
  CHECK(sent < std::size_t{4} << 20);  // back-pressure: two socket buffers and the limit
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE("io/relay: a reader that only stops reading does not stop the other direction") {
  Fixture f;
  ::shutdown(f.left.get(), SHUT_RD);
  f.send(f.right.get(), "x");
  f.settle();
  f.send(f.left.get(), "still here");
  f.settle();
  CHECK(f.drain(f.right.get()) == "still here");
  CHECK(f.ended == 0);
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE("io/relay: destroyed inside its callback, and with bytes in flight") {
  Fixture f;
  const std::string data = pattern(1 << 20);
  for (int i = 0; i < 100; ++i) {
    ::send(f.right.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    f.settle();
  }
  f.relay.reset();
  CHECK(f.ended == 0);
  bool eof = false;
  CHECK_FALSE(f.drain(f.left.get(), &eof).empty());
  CHECK(eof);

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
  // And the other way: what the left's carrier doesn't take holds the right back.
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    const ssize_t n = ::send(m.right.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (n > 0) taken += static_cast<std::size_t>(n);
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
