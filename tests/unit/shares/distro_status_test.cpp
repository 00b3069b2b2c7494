#include "shares/distro_status.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::shares;

namespace {

constexpr int kAny = -1;

// A rule of the table; kAny: whatever it is.
struct Row {
  int enabled;
  int share;   // ShareState
  int helper;  // HelperState
  int refused;
  int failed;
  int wanted;
  int not_started;
  DistroState state;
  std::string reason;

  bool covers(const DistroFacts& facts) const {
    const auto is = [](int wanted_value, auto value) {
      return wanted_value == kAny || wanted_value == static_cast<int>(value);
    };
    return is(enabled, facts.enabled) && is(share, facts.share) && is(helper, facts.helper) &&
           is(refused, !facts.refusal.empty()) && is(failed, !facts.failure.empty()) &&
           is(wanted, facts.wanted) && is(not_started, !facts.not_started.empty());
  }
};

constexpr int kNone = 0;
constexpr int kAttached = static_cast<int>(ShareState::attached);
constexpr int kDetaching = static_cast<int>(ShareState::detaching);
constexpr int kArriving = static_cast<int>(HelperState::arriving);
constexpr int kConnected = static_cast<int>(HelperState::connected);

const std::string kRemoving = "the integration is being removed";
const std::string kStopping = "it has stopped; the containers that use its files are being stopped";
const std::string kAgain = "it was started again while its containers are being stopped";

const Row kTable[] = {
    // enabled, share, helper, refused, failed, wanted, not started
    {0, kNone, kNone, kAny, kAny, kAny, kAny, DistroState::disabled, ""},
    {0, kAttached, kNone, kAny, kAny, kAny, kAny, DistroState::disabled, ""},
    {0, kDetaching, kNone, kAny, kAny, kAny, kAny, DistroState::disabled, kRemoving},
    {0, kAny, kArriving, kAny, kAny, kAny, kAny, DistroState::disabled, kRemoving},
    {0, kAny, kConnected, kAny, kAny, kAny, kAny, DistroState::disabled, kRemoving},
    {1, kAttached, kAny, 0, kAny, kAny, kAny, DistroState::attached, ""},
    {1, kAttached, kAny, 1, kAny, kAny, kAny, DistroState::attached, "refused"},
    {1, kNone, kArriving, kAny, kAny, kAny, kAny, DistroState::waiting, "its files are on the way"},
    {1, kDetaching, kArriving, kAny, kAny, kAny, kAny, DistroState::waiting, kAgain},
    {1, kDetaching, kNone, kAny, kAny, kAny, kAny, DistroState::stopped, kStopping},
    {1, kDetaching, kConnected, kAny, kAny, kAny, kAny, DistroState::stopped, kStopping},
    {1, kNone, kNone, 1, kAny, kAny, kAny, DistroState::refused, "refused"},
    {1, kNone, kConnected, 1, kAny, kAny, kAny, DistroState::refused, "refused"},
    {1, kNone, kNone, 0, 1, kAny, kAny, DistroState::failed, "failed"},
    {1, kNone, kNone, 0, 0, 1, kAny, DistroState::waiting,
     "asked for; it has not been started yet"},
    {1, kNone, kConnected, 0, kAny, 1, kAny, DistroState::waiting,
     "asked for; it has not been started yet"},
    {1, kNone, kNone, 0, 0, 0, 1, DistroState::stopped, "Windows did not start it: no"},
    {1, kNone, kConnected, 0, kAny, 0, 1, DistroState::stopped, "Windows did not start it: no"},
    {1, kNone, kNone, 0, 0, 0, 0, DistroState::stopped, ""},
    {1, kNone, kConnected, 0, kAny, 0, 0, DistroState::stopped, ""},
};

}  // namespace

TEST_CASE("shares/distro_status: each combination of facts has one row, and is what it says") {
  int seen = 0;
  for (int i = 0; i < 288; ++i) {
    DistroFacts facts;
    facts.enabled = i % 2 == 1;
    facts.share = static_cast<ShareState>(i / 2 % 3);
    facts.helper = static_cast<HelperState>(i / 6 % 3);
    if (i / 18 % 2 == 1) facts.refusal = "refused";
    facts.wanted = i / 36 % 2 == 1;
    if (i / 72 % 2 == 1) facts.not_started = "no";
    if (i / 144 % 2 == 1) facts.failure = "failed";
    CAPTURE(i);
    int rows = 0;
    for (const auto& row : kTable) {
      if (!row.covers(facts)) continue;
      ++rows;
      const auto told = describe(facts);
      CHECK(name_of(told.state) == name_of(row.state));
      CHECK(told.reason == row.reason);
    }
    CHECK(rows == 1);
    seen += rows;
  }
  CHECK(seen == 288);
}
