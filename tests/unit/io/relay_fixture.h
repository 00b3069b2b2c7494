// Two peers that the test plays, `left` and `right`, and between them a Relay or a Splice: so that
// both are held to the same cases.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "io/loop.h"
#include "io/relay.h"
#include "io/splice.h"
#include "io/stream.h"
#include "support/loop_fixture.h"

namespace causeway::io::test {

inline std::pair<UniqueFd, UniqueFd> pair_of_sockets() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 253) & 0xff);
  return bytes;
}

// What arrives at `fd` until it would block. *eof: behind it, FIN or a close.
inline std::string drain(int fd, bool* eof = nullptr) {
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

// As much as it takes now.
inline std::size_t offer(int fd, std::string_view bytes) {
  const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

// Whether who sends there is told that nobody reads.
inline bool is_cut(int fd) {
  return ::send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
}

struct ByRelay {
  void start(Loop& loop, Splice::End left, Splice::End right, std::function<void()> ended) {
    auto first = std::make_unique<Stream>(loop, std::move(left.fd), nullptr);
    auto second = std::make_unique<Stream>(loop, std::move(right.fd), nullptr);
    first->write(left.pending);
    second->write(right.pending);
    way = std::make_unique<Relay>(loop, std::move(first), std::move(second), std::move(ended));
  }
  std::unique_ptr<Relay> way;
};

struct BySplice {
  void start(Loop& loop, Splice::End left, Splice::End right, std::function<void()> ended) {
    way = std::make_unique<Splice>(loop, pool, std::move(left), std::move(right), std::move(ended));
  }
  PipePool pool;
  std::unique_ptr<Splice> way;
};

template <typename Way>
struct Between : causeway::test::LoopFixture {
  UniqueFd left;
  UniqueFd right;
  int ended = 0;
  bool at_once = false;  // it is destroyed inside its callback
  Way by;

  explicit Between(std::string to_left = {}, std::string to_right = {}) {
    auto [a, a_end] = pair_of_sockets();
    auto [b, b_end] = pair_of_sockets();
    left = std::move(a);
    right = std::move(b);
    by.start(loop, {std::move(a_end), std::move(to_left)}, {std::move(b_end), std::move(to_right)},
             [this] { end(); });
  }

  // As an owner does it: what has ended goes, outside of its own callback.
  void end() {
    ++ended;
    if (at_once) return by.way.reset();
    loop.defer([this] { by.way.reset(); });
  }
  void send(const UniqueFd& from, std::string_view bytes) {
    REQUIRE(offer(from.get(), bytes) == bytes.size());
  }
};

}  // namespace causeway::io::test
