// What a Relay and a Splice promise alike.
#include <doctest/doctest.h>

#include "relay_fixture.h"

using namespace causeway;
using io::test::Between;
using io::test::ByRelay;
using io::test::BySplice;
using io::test::drain;
using io::test::is_cut;
using io::test::offer;
using io::test::pattern;

TEST_CASE_TEMPLATE("io/relay: bytes pass both ways, those already queued first", Way, ByRelay,
                   BySplice) {
  Between<Way> f("to left, ", "to right, ");
  f.send(f.left, "from left");
  f.send(f.right, "from right");
  f.settle();
  CHECK(drain(f.left.get()) == "to left, from right");
  CHECK(drain(f.right.get()) == "to right, from left");
  CHECK(f.ended == 0);
}

TEST_CASE_TEMPLATE("io/relay: half-close passes, the other way goes on, both end it", Way, ByRelay,
                   BySplice) {
  for (const bool left_first : {true, false}) {
    CAPTURE(left_first);
    Between<Way> f;
    const UniqueFd& first = left_first ? f.left : f.right;
    const UniqueFd& second = left_first ? f.right : f.left;
    f.send(first, "last");
    ::shutdown(first.get(), SHUT_WR);
    f.settle();
    bool eof = false;
    CHECK(drain(second.get(), &eof) == "last");
    CHECK(eof);
    CHECK(f.ended == 0);
    f.send(second, "answer");
    f.settle();
    CHECK(drain(first.get(), &eof) == "answer");
    CHECK_FALSE(eof);
    ::shutdown(second.get(), SHUT_WR);
    f.settle();
    CHECK(drain(first.get(), &eof).empty());
    CHECK(eof);
    CHECK(f.ended == 1);
  }
}

TEST_CASE_TEMPLATE("io/relay: a FIN that was there before passes behind the pending bytes", Way,
                   ByRelay, BySplice) {
  Between<Way> f("", "pending");
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  bool eof = false;
  CHECK(drain(f.right.get(), &eof) == "pending");
  CHECK(eof);
}

TEST_CASE_TEMPLATE("io/relay: slow readers lose nothing, and it ends only when all was sent", Way,
                   ByRelay, BySplice) {
  // Both sides write 2 MiB and FIN; nobody reads until the sender is done or stuck.
  const std::string data = pattern(2 << 20);
  Between<Way> f;
  const std::array<int, 2> fds = {f.left.get(), f.right.get()};
  std::array<std::size_t, 2> sent{};
  std::array<std::string, 2> got;
  std::array<bool, 2> eof{};
  for (int round = 0; round < 10000 && (f.ended == 0 || !eof[0] || !eof[1]); ++round) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (sent[i] == data.size()) continue;
      sent[i] += offer(fds[i], std::string_view(data).substr(sent[i]));
      if (sent[i] == data.size()) ::shutdown(fds[i], SHUT_WR);
    }
    f.settle();
    if (f.ended == 1) {
      // The last bytes may still be in the kernel, but none in between.
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

TEST_CASE_TEMPLATE("io/relay: a peer that closes wholly ends it, though the other side is silent",
                   Way, ByRelay, BySplice) {
  for (const bool left_goes : {true, false}) {
    for (const char* last : {"", "bye"}) {
      CAPTURE(left_goes);
      CAPTURE(last);
      Between<Way> f;
      UniqueFd& goes = left_goes ? f.left : f.right;
      UniqueFd& stays = left_goes ? f.right : f.left;
      f.send(goes, last);
      goes.reset();
      f.settle();
      CHECK(f.ended == 1);
      bool eof = false;
      CHECK(drain(stays.get(), &eof) == last);
      CHECK(eof);
      CHECK(is_cut(stays.get()));
    }
  }
}

TEST_CASE_TEMPLATE("io/relay: first half-close, then gone", Way, ByRelay, BySplice) {
  Between<Way> f;
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 0);
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE_TEMPLATE(
    "io/relay: reset by peer (closed with unread bytes) ends it, its last bytes arrive", Way,
    ByRelay, BySplice) {
  Between<Way> f;
  f.send(f.right, "never read");
  f.settle();
  f.send(f.left, "last words");
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(drain(f.right.get()) == "last words");
}

TEST_CASE_TEMPLATE("io/relay: a peer that is gone while bytes for it are queued ends it", Way,
                   ByRelay, BySplice) {
  Between<Way> f;
  const std::string data = pattern(1 << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += offer(f.right.get(), data);
    f.settle();
  }
  CHECK(sent > 0);
  CHECK(sent < std::size_t{4} << 20);  // back-pressure: two socket buffers and its own limit
  f.left.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(is_cut(f.right.get()));
}

TEST_CASE_TEMPLATE("io/relay: a reader that only stops reading does not stop the other direction",
                   Way, ByRelay, BySplice) {
  Between<Way> f;
  ::shutdown(f.left.get(), SHUT_RD);
  f.send(f.right, "x");
  f.settle();
  f.send(f.left, "still here");
  f.settle();
  CHECK(drain(f.right.get()) == "still here");
  CHECK(f.ended == 0);
  ::shutdown(f.left.get(), SHUT_WR);
  f.settle();
  CHECK(f.ended == 1);
}

TEST_CASE_TEMPLATE("io/relay: destroyed inside its callback", Way, ByRelay, BySplice) {
  Between<Way> f;
  f.at_once = true;
  f.left.reset();
  f.right.reset();
  f.settle();
  CHECK(f.ended == 1);
  CHECK(f.by.way == nullptr);
}

TEST_CASE_TEMPLATE("io/relay: destroyed with bytes in flight", Way, ByRelay, BySplice) {
  Between<Way> f;
  const std::string data = pattern(1 << 20);
  for (int i = 0; i < 100; ++i) {
    offer(f.right.get(), data);
    f.settle();
  }
  f.by.way.reset();
  CHECK(f.ended == 0);
  bool eof = false;
  CHECK_FALSE(drain(f.left.get(), &eof).empty());
  CHECK(eof);
}
