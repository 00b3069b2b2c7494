// What only a Splice does; what it shares with a Relay is in relay_and_splice_test.cpp.
#include "io/splice.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <string>
#include <string_view>
#include <utility>

#include "relay_fixture.h"

using namespace causeway;
using io::PipePool;
using io::test::drain;
using io::test::is_cut;
using io::test::offer;
using io::test::pattern;

namespace {

using Fixture = io::test::Between<io::test::BySplice>;

}  // namespace

TEST_CASE("io/splice: who sends to a reader that only stopped reading is told") {
  Fixture f;
  ::shutdown(f.left.get(), SHUT_RD);
  f.send(f.right, "x");
  f.settle();
  CHECK(is_cut(f.right.get()));
  CHECK(f.ended == 0);
}

TEST_CASE("io/splice: an idle one holds no pipe") {
  Fixture f;
  const auto pipes_of_pool = [&] {
    // take() makes a new pipe only when none is idle, so the lowest free descriptor tells.
    int before = ::dup(0);
    ::close(before);
    PipePool::Pipe pipe = f.by.pool.take();
    const bool was_idle = pipe.out.get() != before && pipe.in.get() != before;
    f.by.pool.give(std::move(pipe));
    return was_idle;
  };
  f.send(f.left, "x");
  f.settle();
  CHECK(drain(f.right.get()) == "x");
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
    sent += offer(f.left.get(), std::string_view(data).substr(sent));
    if (sent == data.size()) ::shutdown(f.left.get(), SHUT_WR);
    f.settle();
    if (i > 5) got += drain(f.right.get(), &eof);
  }
  ::setrlimit(RLIMIT_NOFILE, &old);
  CHECK(eof);
  CHECK(got == data);
}

TEST_CASE("io/splice: while many receivers take nothing each gets little, and loses nothing") {
  Fixture f;
  const std::size_t free = f.by.pool.most();
  CHECK(free == 1 << 20);
  constexpr std::size_t kOthers = std::size_t{64} << 20;
  f.by.pool.add_held(kOthers);  // in the pipes of other receivers
  CHECK(f.by.pool.most() == 64 * 1024);
  const std::string data = pattern(3 << 20);
  std::size_t sent = 0;
  std::string got;
  const auto fill = [&] {
    for (std::size_t before = 1; before != sent;) {
      before = sent;
      sent += offer(f.left.get(), std::string_view(data).substr(sent));
      f.settle();
    }
  };
  fill();  // nobody reads: what is held is little
  while (got.size() < data.size()) {
    got += drain(f.right.get());
    f.settle();
    fill();
  }
  CHECK((got == data));
  f.by.pool.take_held(kOthers);
  CHECK(f.by.pool.most() == free);
}
