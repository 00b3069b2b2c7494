#include "control_api/status.h"

#include <doctest/doctest.h>

#include "../daemon/product_rig.h"

using namespace causeway::control_api;

TEST_CASE("control_api/status: what is written is read again") {
  causeway::daemon::ScriptedProduct product;
  const std::string json = to_json(product.now);
  const auto again = status_from_json(json);
  REQUIRE(again.ok());
  CHECK(to_json(*again) == json);
  CHECK(again->services[0].since == 1'700'000'000);
  CHECK(json.find("\"since\":\"2023-11-14T22:13:20Z\"") != std::string::npos);
  CHECK(!again->services[2].pid);
  CHECK(again->notes[0].warning);
  CHECK(again->distros[0].items[0].state == ItemState::left_alone);
  CHECK(again->link.connected);
  CHECK(again->link.listeners[0].address == "port 5");
  CHECK(again->link.refusal_age_s == 9);
  CHECK(again->wanted.distros == std::vector<std::string>{"Debian"});
}

TEST_CASE("control_api/status: what the agent's parts write is what a client reads") {
  causeway::daemon::ProductRig rig;
  const std::string json = rig.api.sections.json();
  const auto status = status_from_json(json);
  REQUIRE(status.ok());
  CHECK(to_json(*status) == json);
}

TEST_CASE("control_api/status: every state has one name") {
  for (int i = 0; i <= static_cast<int>(ServiceState::invalid); ++i) {
    const auto state = static_cast<ServiceState>(i);
    CHECK(service_state(name_of(state)) == state);
  }
  CHECK(!service_state("happy"));
}

TEST_CASE("control_api/status: an unknown key is passed over, nonsense is an error") {
  causeway::daemon::ScriptedProduct product;
  std::string json = to_json(product.now);
  json.insert(1, "\"from_the_future\":[1],");
  CHECK(status_from_json(json).ok());
  CHECK(!status_from_json("{}").ok());
  CHECK(!status_from_json("[").ok());
  CHECK(!status_from_json(R"({"engine":{"state":"ready"},"services":[{"name":"x"}]})").ok());
  CHECK(!service_from_json(R"({"state":"ready"})").ok());
  CHECK(!distros_from_json(R"({"distros":[{"name":"x","state":"lost"}]})").ok());
}

TEST_CASE("control_api/status: foreign bytes stay inside their strings") {
  ServiceStatus service;
  service.name = "x\"\n";
  service.reason = std::string(2, '\xff');
  const auto again = service_from_json(to_json(service));
  REQUIRE(again.ok());
  CHECK(again->name == service.name);
  CHECK(again->reason == "\xef\xbf\xbd\xef\xbf\xbd");
}
