// What unit tests share: letting a loop come to rest.
#pragma once

#include <doctest/doctest.h>

#include "io/loop.h"

namespace causeway::test {

// Turns until there is nothing left to do: no descriptor is ready, no task was put off, no timer is
// due. So "nothing happened" means that nothing will. Twice in a row, because a watch that begins
// in one turn is the kernel's in the next. What another thread or process has yet to do isn't
// waited for.
inline void settle(io::Loop& loop) {
  constexpr int kMost = 100'000;  // a loop that is never at rest spins: that is the failure
  int rests = 0;
  for (int i = 0; i < kMost && rests < 2; ++i) {
    loop.turn();
    rests = loop.at_rest() ? rests + 1 : 0;
  }
  REQUIRE(rests == 2);
}

}  // namespace causeway::test
