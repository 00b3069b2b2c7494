#include "init/mode.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::init;

TEST_CASE("init/mode: the process number, then WSL's traces decide") {
  struct Case {
    const char* name;
    ModeInputs inputs;
    const char* existing;
    Mode expected;
  };
  const Case cases[] = {
      {"real PID 1", {1, "6.1.0-18-amd64", ""}, "", Mode::pid1},
      {"PID 1 on a WSL kernel", {1, "5.15.153.1-microsoft-standard-WSL2", "x"}, "", Mode::pid1},
      {"WSL kernel", {40, "5.15.153.1-microsoft-standard-WSL2", ""}, "", Mode::wsl},
      {"old spelling", {40, "5.15.0-Microsoft", ""}, "", Mode::wsl},
      {"a user's kernel in WSL", {40, "6.9.0-custom", "docker-desktop"}, "", Mode::wsl},
      {"interop", {40, "6.9.0", ""}, "/proc/sys/fs/binfmt_misc/WSLInterop", Mode::wsl},
      {"late interop", {40, "6.9.0", ""}, "/proc/sys/fs/binfmt_misc/WSLInterop-late", Mode::wsl},
      {"plain", {40, "6.1.0-18-amd64", ""}, "", Mode::plain},
      {"a near miss", {40, "6.1.0-micro-soft", ""}, "/proc/sys/fs/binfmt_misc/x", Mode::plain},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CHECK(detect_mode(c.inputs, [&](const std::string& p) { return p == c.existing; }) ==
          c.expected);
  }
}

TEST_CASE("init/mode: names go both ways, others are refused") {
  for (const Mode mode : {Mode::pid1, Mode::wsl, Mode::plain}) {
    const auto parsed = parse_mode(name(mode));
    REQUIRE(parsed);
    CHECK(*parsed == mode);
  }
  const auto automatic = parse_mode("auto");
  REQUIRE(automatic);
  CHECK_FALSE(automatic->has_value());
  CHECK_FALSE(parse_mode("").ok());
  CHECK_FALSE(parse_mode("WSL").ok());
}

TEST_CASE("init/mode: Linux 5.15 is the floor") {
  for (const char* good : {"5.15", "5.15.0-91-generic", "5.15.153.1-microsoft-standard-WSL2",
                           "5.100.1", "6.0", "6.18.44", "10.1"}) {
    CAPTURE(good);
    CHECK(check_kernel(good).ok());
  }
  for (const char* bad : {"5.14.21", "5.4.0", "4.19.128-microsoft-standard", "3.16", "", "six", "6",
                          "6.", "-5.15", "99999999999.1"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_kernel(bad).ok());
  }
  CHECK(check_kernel("5.10.102.1-microsoft").error().message ==
        "Linux 5.10.102.1-microsoft is older than 5.15");
}
