// What tests do with a loop: let it come to rest, or run it until something holds. Neither counts
// turns, so "nothing happened" means that nothing will.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>

#include "io/loop.h"
#include "io/timer.h"

namespace causeway::test {

// Turns until there is nothing left to do: no descriptor is ready, no task was put off, no timer is
// due. Twice in a row, because a watch that begins in one turn is the kernel's in the next. What
// time, another thread or another process has yet to bring isn't waited for: that is run_until().
inline void settle(io::Loop& loop) {
  constexpr int kMost = 100'000;  // a loop that is never at rest spins: that is the failure
  int rests = 0;
  for (int i = 0; i < kMost && rests < 2; ++i) {
    loop.turn();
    rests = loop.at_rest() ? rests + 1 : 0;
  }
  REQUIRE(rests == 2);
}

// Runs the loop until `done`, which is asked after each turn, and each millisecond of a loop at
// rest: it may look at what isn't on the loop. False when the bound came first.
template <typename Done>
bool run_until(io::Loop& loop, Done done) {
  constexpr std::uint64_t kBoundMs = 30'000;  // only a defect reaches it
  io::Timer tick(loop);
  loop.turn();  // the loop's clock may be old
  const std::uint64_t end = loop.now_ms() + kBoundMs;
  while (!done()) {
    if (loop.now_ms() > end) return false;
    if (loop.at_rest()) {
      tick.start(1, [&loop] { loop.stop(); });
      loop.run();
    } else {
      loop.turn();
    }
  }
  return true;
}

// First of a fixture's bases: all else is on its loop.
struct LoopFixture {
  void settle() { test::settle(loop); }
  template <typename Done>
  bool until(Done done) {
    return run_until(loop, done);
  }

  io::Loop loop;
};

}  // namespace causeway::test
