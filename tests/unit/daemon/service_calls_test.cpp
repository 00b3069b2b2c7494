#include "daemon/service_calls.h"

#include <doctest/doctest.h>

#include <string>

#include "control_api/errors.h"
#include "product_rig.h"

using namespace causeway;
using namespace causeway::daemon;

namespace {
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("daemon/service_calls: every state has its counterpart, by name") {
  for (int i = 0; i <= static_cast<int>(supervise::State::invalid); ++i) {
    supervise::ServiceStatus service;
    service.state = static_cast<supervise::State>(i);
    CHECK(control_api::name_of(describe(service, 0).state) == supervise::state_name(service.state));
  }
}

TEST_CASE("daemon/service_calls: ages and times, and what there may be none of") {
  supervise::ServiceStatus service;
  service.name = "x";
  service.age_ms = 61'500;
  auto out = describe(service, 1'000'000'061'500);
  CHECK(out.age_s == 61);
  CHECK(out.since == 1'000'000'000);
  CHECK(!out.pid);
  CHECK(!out.memory_bytes);
  service.pid = 5;
  service.memory_bytes = 7;
  service.last_exit = "exited with code 1";
  service.last_log_lines = {"a"};
  out = describe(service, 0);
  CHECK(out.pid == 5);
  CHECK(out.memory_bytes == 7);
  CHECK(out.last_exit == "exited with code 1");
  CHECK(out.last_lines == std::vector<std::string>{"a"});
}

TEST_CASE("daemon/service_calls: notes name their service, warnings are told apart") {
  supervise::ServiceStatus service;
  service.name = "dockerd";
  service.notes = {{true, "the disk is full"}, {false, "took the last good settings"}};
  const auto notes = notes_of({service});
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].warning);
  CHECK(notes[0].text == "dockerd: the disk is full");
  CHECK(!notes[1].warning);
}

TEST_CASE("daemon/service_calls: an action is answered with what it has begun") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("POST", "/v1/services/dockerd/restart", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 202);
  CHECK(has(client.body, "\"state\":\"starting\""));
  CHECK(rig.product.performed == std::vector<std::string>{"restart dockerd"});

  rig.product.refusal = "the machine is being switched off";
  client.request("POST", "/v1/services/dockerd/start", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 409);
  CHECK(client.body == control_api::error_json(rig.product.refusal));
}

TEST_CASE("daemon/service_calls: wait=1 answers when the state is reached, or can't be") {
  struct Case {
    const char* action;
    std::vector<control_api::ServiceState>
        states;  // after the command; all but the last leave it waiting
    int status;
  };
  using S = control_api::ServiceState;
  const Case cases[] = {
      {"start", {S::waiting, S::starting, S::backing_off, S::ready}, 200},
      {"start", {S::starting, S::failed}, 500},
      {"start", {S::starting, S::invalid}, 500},
      {"start", {S::starting, S::off}, 500},
      {"restart", {S::stopping, S::off, S::starting, S::ready}, 200},
      {"restart", {S::stopping, S::failed}, 500},
      {"stop", {S::stopping, S::killing, S::off}, 200},
      {"stop", {S::stopping, S::failed}, 200},
  };
  for (const auto& c : cases) {
    CAPTURE(c.action);
    ProductRig rig;
    rig.product.behind_command = c.states.front();
    auto client = rig.connect();
    client.request("POST", std::string("/v1/services/dockerd/") + c.action + "?wait=1",
                   "Content-Length: 0\r\n");
    REQUIRE(rig.until([&] { return !rig.product.performed.empty(); }));
    for (std::size_t i = 0; i < c.states.size(); ++i) {
      rig.product.service("dockerd").state = c.states[i];
      rig.product.service("dockerd").reason = "because";
      rig.api.sections.changed();
      test::settle(rig.loop);
      client.take_some();
      CHECK((client.status() != 0) == (i + 1 == c.states.size()));
    }
    CHECK(client.status() == c.status);
    if (c.status == 500) CHECK(has(client.body, "dockerd"));
    // The connection serves the next request.
    client.request("GET", "/v1/version");
    REQUIRE(client.answer());
    CHECK(client.status() == 200);
  }
}

TEST_CASE("daemon/service_calls: wait=1 ends when its time is over, or its client is gone") {
  ProductRig::Options impatient;
  impatient.wait_s = 0;
  ProductRig rig(impatient);
  auto client = rig.connect();
  client.request("POST", "/v1/services/dockerd/start?wait=1", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 504);

  auto leaver = rig.connect();
  leaver.request("POST", "/v1/services/dockerd/start?wait=1&timeout_s=3600",
                 "Content-Length: 0\r\n");
  REQUIRE(rig.until([&] { return rig.product.performed.size() == 2; }));
  leaver.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 1; }));
}

TEST_CASE("daemon/service_calls: what isn't there") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("POST", "/v1/services/nothing/start", "Content-Length: 0\r\n");
  REQUIRE(client.answer());
  CHECK(client.status() == 404);
  CHECK(has(client.body, "no such service: nothing"));
  CHECK(rig.product.performed.empty());
}
