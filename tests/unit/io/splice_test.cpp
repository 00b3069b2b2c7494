#include "io/splice.h"
#include "../support/settle.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

using namespace causeway;
using io::Loop;
using io::PipePool;
using io::Splice;

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

// A splice between two peers that the test plays, `left` and `right`.
struct Fixture {
  Loop loop;
  PipePool pool;
  UniqueFd left;
  UniqueFd right;
  int ended = 0;
  std::unique_ptr<Splice> splice;

  explicit Fixture(std::string to_left = {}, std::string to_right = {}) {
    auto [a, a_end] = pair_of_sockets();
    auto [b, b_end] = pair_of_sockets();
    left = std::move(a);
    right = std::move(b);
    splice = std::make_unique<Splice>(loop, pool, Splice::End{std::move(a_end), std::move(to_left)},
                                      Splice::End{std::move(b_end), std::move(to_right)},
                                      [this] { end(); });
  }

  // As an owner does it: what has ended goes, outside of its own callback.
  void end() {
    ++ended;
    loop.defer([this] { splice.reset(); });
  }
  void settle() { causeway::test::settle(loop); }
  // What arrives at `fd` until it would block. *eof tells whether FIN came.
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

}  // namespace

TEST_CASE("io/splice: bytes pass both ways, those already there first") {
  Fixture f("to left, ", "to right, ");
  f.send(f.left.get(), "from left");
  f.send(f.right.get(), "from right");
  f.settle();
  CHECK(f.drain(f.left.get()) == "to left, from right");
  CHECK(f.drain(f.right.get()) == "to right, from left");
  CHECK(f.ended == 0);
}

TEST_CASE("io/splice: half-close passes, the other way goes on, both end it") {
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

TEST_CASE("io/splice: a FIN that was there before the splice passes behind the pending bytes") {
  Fixture f("", "pending");
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  bool eof = false;
  CHECK(f.drain(f.right.get(), &eof) == "pending");
  CHECK(eof);
}

TEST_CASE("io/splice: slow readers lose nothing, and it ends only when all was sent") {
  // Both sides write 2 MiB and FIN; nobody reads until the sender is done or stuck.
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
      // The last bytes may still be in the kernel, but none in the splice.
      CHECK(sent[0] == data.size());
      CHECK(sent[1] == data.size());
    }
    // Reads a little only.
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

TEST_CASE("io/splice: a peer that closes wholly ends it, though the other side is silent") {
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
      CHECK(::send(stays.get(), "x", 1, MSG_NOSIGNAL) < 0);
    }
  }
}

TEST_CASE("io/splice: first half-close, then gone") {
  Fixture f;
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 0);
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE("io/splice: reset by peer (closed with unread bytes) ends it, its last bytes arrive") {
  Fixture f;
  f.send(f.right.get(), "never read");
  f.settle();
  f.send(f.left.get(), "last words");
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(f.drain(f.right.get()) == "last words");
}

TEST_CASE("io/splice: a peer that is gone while bytes for it are queued ends that direction") {
  Fixture f;
  const std::string data = pattern(1 << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    const ssize_t n = ::send(f.right.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
    f.settle();
  }
  CHECK(sent > 0);
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(::send(f.right.get(), "x", 1, MSG_NOSIGNAL) < 0);
}

TEST_CASE("io/splice: a reader that only stops reading does not stop the other direction") {
  Fixture f;
  ::shutdown(f.left.get(), SHUT_RD);
  f.send(f.right.get(), "x");
  f.settle();
  f.send(f.left.get(), "still here");
  f.settle();
  CHECK(f.drain(f.right.get()) == "still here");
  CHECK(::send(f.right.get(), "y", 1, MSG_NOSIGNAL) < 0);  // the sender is told
  CHECK(f.ended == 0);
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE("io/splice: destroyed inside its callback") {
  Loop loop;
  PipePool pool;
  auto [left, a] = pair_of_sockets();
  auto [right, b] = pair_of_sockets();
  std::unique_ptr<Splice> splice;
  bool destroyed = false;
  splice = std::make_unique<Splice>(loop, pool, Splice::End{std::move(a), {}},
                                    Splice::End{std::move(b), {}}, [&] {
                                      splice.reset();
                                      destroyed = true;
                                    });
  left.reset();
  right.reset();
  causeway::test::settle(loop);
  CHECK(destroyed);
}

TEST_CASE("io/splice: destroyed with bytes in flight") {
  Fixture f;
  const std::string data = pattern(1 << 20);
  for (int i = 0; i < 100; ++i) {
    ::send(f.right.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    f.settle();
  }
  f.splice.reset();
  CHECK(f.ended == 0);
  bool eof = false;
  CHECK_FALSE(f.drain(f.left.get(), &eof).empty());
  CHECK(eof);
}

TEST_CASE("io/splice: an idle one holds no pipe") {
  Fixture f;
  const auto pipes_of_pool = [&] {
    // take() makes a new pipe only when none is idle, so the lowest free descriptor tells.
    int before = ::dup(0);
    ::close(before);
    PipePool::Pipe pipe = f.pool.take();
    const bool was_idle = pipe.out.get() != before && pipe.in.get() != before;
    f.pool.give(std::move(pipe));
    return was_idle;
  };
  f.send(f.left.get(), "x");
  f.settle();
  CHECK(f.drain(f.right.get()) == "x");
  CHECK(pipes_of_pool());
}

TEST_CASE("io/splice: without descriptors for a pipe, bytes are copied") {
  Fixture f;
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  const int lowest = ::dup(0);
  ::close(lowest);
  const rlimit none{static_cast<rlim_t>(lowest), old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const std::string data = pattern(3 << 20);
  std::size_t sent = 0;
  std::string got;
  bool eof = false;
  for (int i = 0; i < 1000 && !eof; ++i) {
    const ssize_t n =
        ::send(f.left.get(), data.data() + sent, data.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
    if (sent == data.size()) ::shutdown(f.left.get(), SHUT_WR);
    f.settle();
    if (i > 5) got += f.drain(f.right.get(), &eof);
  }
  ::setrlimit(RLIMIT_NOFILE, &old);
  CHECK(eof);
  CHECK(got == data);
}
