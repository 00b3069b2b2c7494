#include "control/routes.h"

#include <doctest/doctest.h>

using namespace causeway::control;

TEST_CASE("control/routes: names are percent-decoded, and a slash in one isn't a separator") {
  const Match m = match("POST", "/v1/services/a%2Fb%20c/start");
  REQUIRE(m.route != nullptr);
  CHECK(m.name == "a/b c");
  CHECK(m.route->action == causeway::control_api::Action::start);
}

TEST_CASE("control/routes: query values") {
  const Match m = match("GET", "/v1/logs?service=a+b%26c&tail=17");
  REQUIRE(m.route != nullptr);
  CHECK(m.query.at("service") == "a b&c");
  CHECK(m.number("tail", 5) == 17);
  CHECK(m.number("follow", 5) == 5);
}

TEST_CASE("control/routes: refusals say what would do") {
  CHECK(match("PUT", "/v1/status").refusal == 405);
  CHECK(match("PUT", "/v1/status").allow == "GET");
  CHECK(match("get", "/v1/status").refusal == 405);
  CHECK(match("GET", "/v1/statu").refusal == 404);
  CHECK(match("GET", "/v1/services/x/explode").refusal == 404);
  CHECK(match("GET", "/v1/logs?=1").refusal == 400);
}

TEST_CASE("control/routes: any bytes give an answer") {
  for (int c = 0; c < 256; ++c) {
    const std::string target = std::string("/v1/logs?service=%") + static_cast<char>(c);
    CHECK(match("GET", target).refusal == 400);
    CHECK(match("GET", std::string(1, static_cast<char>(c))).refusal == 404);
  }
}
