#include "shares/distro_requests.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "../mounts/sandbox.h"

using namespace causeway;
using shares::DistroRequests;
using Strings = std::vector<std::string>;

namespace {

constexpr std::uint64_t kLongMs = 60'000;

struct Rig {
  Rig() {
    requests.subscribe([this](const std::string& distro) { told.push_back(distro); });
  }
  void wait(const std::string& distro, bool there, std::uint64_t timeout_ms = kLongMs) {
    requests.wait(distro, there, timeout_ms,
                  [this, distro](bool came) { ended.push_back(distro + (came ? "+" : "-")); });
  }
  void until(const Strings& expected) {
    CHECK(shares::testing::turn_until(loop, [&] { return ended == expected; }));
    CHECK(ended == expected);
  }

  io::Loop loop;
  Strings told;
  Strings ended;
  DistroRequests requests{loop};
};

}  // namespace

TEST_CASE("shares/distro_requests: who waits is told when it comes, and asks for it no more") {
  Rig rig;
  rig.requests.request("Ubuntu");
  rig.wait("Ubuntu", false);
  rig.wait("Debian", false);
  CHECK(rig.told.empty());
  CHECK(rig.requests.wanted() == Strings{"Ubuntu"});
  rig.requests.attached("Ubuntu");
  CHECK(rig.ended.empty());
  rig.until({"Ubuntu+"});
  CHECK(rig.told == Strings{"Ubuntu"});
  CHECK(rig.requests.wanted().empty());
}

TEST_CASE("shares/distro_requests: a distro that can't be started ends the wait with the reason") {
  Rig rig;
  CHECK_FALSE(rig.requests.not_started("Ubuntu", "nobody asked"));
  CHECK(rig.requests.why_not_started("Ubuntu").empty());
  rig.requests.request("Ubuntu");
  rig.wait("Ubuntu", false);
  CHECK(rig.requests.not_started("Ubuntu", "it is not installed"));
  rig.until({"Ubuntu-"});
  CHECK(rig.requests.why_not_started("Ubuntu") == "it is not installed");
  rig.requests.request("Ubuntu");
  CHECK(rig.requests.why_not_started("Ubuntu").empty());
  CHECK(rig.requests.is_wanted("Ubuntu"));
  rig.requests.withdraw("Ubuntu");
  CHECK_FALSE(rig.requests.is_wanted("Ubuntu"));
}

TEST_CASE("shares/distro_requests: what is there needs no wait, and no wait is for ever") {
  Rig rig;
  rig.wait("Ubuntu", true);
  CHECK(rig.ended.empty());
  rig.until({"Ubuntu+"});
  rig.wait("Debian", false, 1);
  rig.until({"Ubuntu+", "Debian-"});
}

TEST_CASE("shares/distro_requests: nobody is called after its end") {
  io::Loop loop;
  bool called = false;
  {
    DistroRequests requests(loop);
    requests.subscribe([&](const std::string&) { called = true; });
    requests.request("Ubuntu");
    requests.wait("Ubuntu", true, kLongMs, [&](bool) { called = true; });
  }
  for (int i = 0; i < 3; ++i) loop.turn();
  CHECK_FALSE(called);
}
