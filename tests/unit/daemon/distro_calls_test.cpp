#include "daemon/distro_calls.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::daemon;

TEST_CASE("daemon/distro_calls: every state has its counterpart, by name") {
  for (int i = 0; i <= static_cast<int>(shares::DistroState::stopped); ++i) {
    shares::DistroStatus distro;
    distro.state = static_cast<shares::DistroState>(i);
    CHECK(control_api::name_of(describe(distro).state) == shares::name_of(distro.state));
  }
  for (int i = 0; i <= static_cast<int>(handover::DistroReport::State::failed); ++i) {
    const auto state = static_cast<handover::DistroReport::State>(i);
    shares::DistroStatus distro;
    distro.report.emplace();
    distro.report->items = {{"link", "/x", state, "why"}};
    distro.report->notes = {"a hint"};
    const auto out = describe(distro);
    REQUIRE(out.items.size() == 1);
    CHECK(control_api::name_of(out.items[0].state) == handover::name_of(state));
    CHECK(out.items[0].reason == "why");
    CHECK(out.notes == std::vector<std::string>{"a hint"});
  }
}
