#include "control_api/status.h"

#include <doctest/doctest.h>

#include "../control/rig.h"

using namespace causeway::control_api;

TEST_CASE("control_api/status: what is written is read again") {
  causeway::control::ScriptedBackend backend;
  const std::string json = to_json(backend.now);
  const auto again = status_from_json(json);
  REQUIRE(again.ok());
  CHECK(to_json(*again) == json);
  CHECK(again->services[0].since == 1'700'000'000);
  CHECK(json.find("\"since\":\"2023-11-14T22:13:20Z\"") != std::string::npos);
  CHECK(!again->services[2].pid);
  CHECK(again->notes[0].warning);
  CHECK(again->distros[0].items[0].state == "left_alone");
  CHECK(again->link.connected);
  CHECK(again->link.listeners[0].address == "port 5");
  CHECK(again->link.refusal_age_s == 9);
  CHECK(again->wanted == std::vector<std::string>{"Debian"});
}

TEST_CASE("control_api/status: every state has one name") {
  for (int i = 0; i <= static_cast<int>(ServiceState::invalid); ++i) {
    const auto state = static_cast<ServiceState>(i);
    CHECK(service_state(name_of(state)) == state);
  }
  CHECK(!service_state("happy"));
}

TEST_CASE("control_api/status: an unknown key is passed over, nonsense is an error") {
  causeway::control::ScriptedBackend backend;
  std::string json = to_json(backend.now);
  json.insert(1, "\"from_the_future\":[1],");
  CHECK(status_from_json(json).ok());
  CHECK(!status_from_json("{}").ok());
  CHECK(!status_from_json("[").ok());
  CHECK(!status_from_json(R"({"engine":{"state":"ready"},"services":[{"name":"x"}]})").ok());
  CHECK(!service_from_json(R"({"state":"ready"})").ok());
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
