#include "daemon/product_status.h"

#include <doctest/doctest.h>

using namespace causeway;
using namespace causeway::daemon;

TEST_CASE("daemon/product_status: every state has its counterpart, by name") {
  for (int i = 0; i <= static_cast<int>(supervise::State::invalid); ++i) {
    supervise::ServiceStatus service;
    service.state = static_cast<supervise::State>(i);
    CHECK(control_api::name_of(describe(service, 0).state) == supervise::state_name(service.state));
  }
}

TEST_CASE("daemon/product_status: ages and times, and what there may be none of") {
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

TEST_CASE("daemon/product_status: notes name their service, warnings are told apart") {
  supervise::ServiceStatus service;
  service.name = "dockerd";
  service.notes = {"warning: the disk is full", "took the last good settings"};
  const auto notes = notes_of({service});
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].warning);
  CHECK(notes[0].text == "dockerd: the disk is full");
  CHECK(!notes[1].warning);
}

TEST_CASE("daemon/product_status: this process has a size") { CHECK(resident_bytes() > 100'000); }
