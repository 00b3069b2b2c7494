#include "daemon/agent_calls.h"

#include <doctest/doctest.h>

#include "control_api/version.h"
#include "product_rig.h"

using namespace causeway;
using namespace causeway::daemon;

TEST_CASE("daemon/agent_calls: this process has a size") { CHECK(resident_bytes() > 100'000); }

TEST_CASE("daemon/agent_calls: what the agent tells of itself") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/version");
  REQUIRE(client.answer());
  CHECK(client.body == control_api::version_json(CAUSEWAY_VERSION));
  client.request("GET", "/v1/status");
  REQUIRE(client.answer());
  const auto status = control_api::status_from_json(client.body);
  REQUIRE(status.ok());
  CHECK(status->agent.version == CAUSEWAY_VERSION);
  CHECK(status->agent.pid == ::getpid());
  CHECK(status->agent.starts == 2);
  CHECK(status->agent.memory_bytes > 100'000);
}
