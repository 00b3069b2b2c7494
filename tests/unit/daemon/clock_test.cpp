#include "daemon/clock.h"

#include <doctest/doctest.h>

#include <vector>

using namespace causeway;
using namespace causeway::daemon;

namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

struct TestClock {
  std::vector<std::int64_t> set;
  bool refuses = false;
  Clock clock{[] { return kNow; },
              [this](std::int64_t unix_ms) -> Status {
                if (refuses) return make_error("not permitted");
                set.push_back(unix_ms);
                return Ok{};
              }};
};

}  // namespace

TEST_CASE("daemon/clock: more than a second off is stepped, less is left alone") {
  for (const std::int64_t off : {0, 1, 1000, -1, -1000}) {
    TestClock test;
    const auto done = step_clock(test.clock, kNow + off);
    REQUIRE(done.ok());
    CHECK(!done->stepped);
    CHECK(done->ms == off);
    CHECK(test.set.empty());
  }
  for (const std::int64_t off : {1001, -1001, 8 * 3600 * 1000}) {
    TestClock test;
    const auto done = step_clock(test.clock, kNow + off);
    REQUIRE(done.ok());
    CHECK(done->stepped);
    CHECK(done->ms == off);
    CHECK(test.set == std::vector<std::int64_t>{kNow + off});
  }
}

TEST_CASE("daemon/clock: nonsense is refused, a failure is told") {
  TestClock test;
  for (const std::int64_t when :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'577'836'799'999},
        std::int64_t{4'102'444'800'000}, INT64_MAX, INT64_MIN}) {
    const auto done = step_clock(test.clock, when);
    REQUIRE(!done.ok());
    CHECK(done.error().code == EINVAL);
  }
  CHECK(step_clock(test.clock, 1'577'836'800'000).ok());
  CHECK(test.set.size() == 1);
  test.refuses = true;
  CHECK(!step_clock(test.clock, kNow + 5000).ok());
}

TEST_CASE("daemon/clock: the system's clock gives milliseconds of unix time") {
  CHECK(Clock::system().now_ms() > 1'577'836'800'000);
}
