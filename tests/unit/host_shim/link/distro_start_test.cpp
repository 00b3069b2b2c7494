#include "link/distro_start.h"

#include <doctest/doctest.h>

using namespace causeway::shim;
using namespace causeway::shim::link;

TEST_CASE("host_shim/link/distro_start: the agent's line") {
  const auto name = parse_distro_start(R"({"distro":"Ubuntu-24.04"})");
  REQUIRE(name.ok());
  CHECK(*name == "Ubuntu-24.04");
  for (const char* line : {"", "Ubuntu", "{}", R"({"distro":1})", R"({"distro":""})",
                           R"({"distro":"a","x":1})", R"(["distro"])"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_distro_start(line).ok());
  }
}

TEST_CASE("host_shim/link/distro_start: the answer is one line, whatever the reason") {
  CHECK(distro_start_answer(true, "") == "{\"started\":true}\n");
  CHECK(distro_start_answer(false, "a\n\"b\"") ==
        "{\"started\":false,\"reason\":\"a\\n\\\"b\\\"\"}\n");
  CHECK(distro_start_answer(false, "\xff").find('\n') + 1 ==
        distro_start_answer(false, "\xff").size());
}
