#include "control/calls.h"

#include <doctest/doctest.h>

using namespace causeway::control;

namespace {
Calls calls() {
  Calls out;
  const auto handler = [](const Request&) { return Reply{}; };
  out.add({"GET", "/v1/status"}, handler);
  out.add({"GET", "/v1/logs", {{"service"}, {"tail", 0, 100'000}, {"follow", 0, 1}}}, handler);
  out.add({"POST", "/v1/services/{name}/start"}, handler);
  out.add({"POST", "/v1/fill"}, handler);
  out.add({"DELETE", "/v1/fill"}, handler);
  return out;
}
}  // namespace

TEST_CASE("control/calls: names are percent-decoded, and a slash in one isn't a separator") {
  const Calls table = calls();
  const Match m = table.match("POST", "/v1/services/a%2Fb%20c/start");
  REQUIRE(m.call != nullptr);
  CHECK(m.request.name == "a/b c");
  CHECK(m.call->route.path == "/v1/services/{name}/start");
}

TEST_CASE("control/calls: query values") {
  const Calls table = calls();
  const Match m = table.match("GET", "/v1/logs?service=a+b%26c%2B&tail=17");
  REQUIRE(m.call != nullptr);
  CHECK(m.request.text("service") == "a b&c+");
  CHECK(m.request.number("tail", 5) == 17);
  CHECK(m.request.number("follow", 5) == 5);
  CHECK(m.request.text("follow").empty());
}

TEST_CASE("control/calls: refusals say what would do") {
  const Calls table = calls();
  CHECK(table.match("PUT", "/v1/status").refusal.status == 405);
  CHECK(table.match("PUT", "/v1/status").allow == "GET");
  CHECK(table.match("PUT", "/v1/fill").allow == "POST, DELETE");
  CHECK(table.match("get", "/v1/status").refusal.status == 405);
  CHECK(table.match("GET", "/v1/statu").refusal.status == 404);
  CHECK(table.match("GET", "/v1/services/x/explode").refusal.status == 404);
  CHECK(table.match("GET", "/v1/logs?=1").refusal.status == 400);
}

TEST_CASE("control/calls: any bytes give an answer") {
  const Calls table = calls();
  for (int c = 0; c < 256; ++c) {
    const std::string target = std::string("/v1/logs?service=%") + static_cast<char>(c);
    CHECK(table.match("GET", target).refusal.status == 400);
    CHECK(table.match("GET", std::string(1, static_cast<char>(c))).refusal.status == 404);
  }
}
