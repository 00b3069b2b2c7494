// The OpenAPI document and the calls of all the agent's parts, held against each other.
#include <doctest/doctest.h>

#include <string>

#include "../daemon/product_rig.h"
#include "openapi_document.h"

extern const char* const kOpenApiFile;

using namespace causeway;
using namespace causeway::control_api::openapi;
using causeway::daemon::ProductRig;

TEST_CASE("control_api/openapi: every documented operation answers as documented") {
  const Json api = load(kOpenApiFile);
  for (const auto& path : api["paths"].members()) {
    for (const auto& operation : path.value.members()) {
      std::string target = path.key;
      if (const auto at = target.find("{name}"); at != std::string::npos)
        target.replace(at, 6, "dockerd");
      if (operation.value.find("requestBody") != nullptr) continue;  // tests of their own
      ProductRig rig;
      rig.product.behind_command = target.ends_with("/stop") ? control_api::ServiceState::off
                                                             : control_api::ServiceState::ready;
      const bool service = path.key.starts_with("/v1/services/");
      const int begun = service ? 202 : 204;
      const bool changes = operation.key == "post" || operation.key == "delete";
      check(api, rig, operation.key, path.key, target, changes ? begun : 200);
      check(api, rig, operation.key, path.key, target + "?nonsense=1", 400);
      if (!changes) continue;
      if (service) check(api, rig, operation.key, path.key, target + "?wait=1", 200);
      std::string nobody = path.key;
      nobody.replace(nobody.find("{name}"), 6, "nobody");
      check(api, rig, operation.key, path.key, nobody, 404);
      rig.product.refusal = "no";
      check(api, rig, operation.key, path.key, target, 409);
    }
  }
  ProductRig rig;
  rig.product.behind_command = control_api::ServiceState::failed;
  check(api, rig, "post", "/v1/services/{name}/start", "/v1/services/dockerd/start?wait=1", 500);
  check(api, rig, "get", "/v1/logs", "/v1/logs?service=nobody", 404);
  ProductRig::Options options;
  options.wait_s = 0;
  ProductRig impatient(options);
  check(api, impatient, "post", "/v1/services/{name}/start", "/v1/services/dockerd/start?wait=1",
        504);
}

TEST_CASE("control_api/openapi: the clock") {
  const Json api = load(kOpenApiFile);
  ProductRig rig;
  const std::string path = "/v1/clock";
  check(api, rig, "post", path, path, 200, R"({"unix_ms":1700000000000})");
  CHECK(rig.product.performed == std::vector<std::string>{"clock 1700000000000"});
  for (const char* bad : {"", "{}", R"({"unix_ms":"1"})", R"({"unix_ms":1,"x":1})", "[1]",
                          R"({"unix_ms":0})", R"({"unix_ms":-1})", R"({"unix_ms":1e3})"})
    check(api, rig, "post", path, path, 400, bad);
  CHECK(rig.product.performed.size() == 1);
  rig.product.refusal = "no";
  check(api, rig, "post", path, path, 409, R"({"unix_ms":1700000000000})");
  const Json sent = *Json::parse(R"({"unix_ms":1700000000000})");
  const Json& schema =
      api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
  CHECK(mismatch(api, schema, sent, "") == "");
}

TEST_CASE("control_api/openapi: a helper that could not be started") {
  const Json api = load(kOpenApiFile);
  ProductRig rig;
  const std::string path = "/v1/distros/{name}/failed";
  const std::string target = "/v1/distros/NixOS/failed";
  const std::string body = to_json(control_api::HelperFailure{"ls(1) not found in PATH"});
  check(api, rig, "post", path, target, 204, body);
  CHECK(rig.product.performed == std::vector<std::string>{"failed NixOS: ls(1) not found in PATH"});
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"reason":1})"),
        std::string(R"({"reason":"x","y":1})"),
        R"({"reason":")" + std::string(1025, 'x') + R"("})"})
    check(api, rig, "post", path, target, 400, bad);
  check(api, rig, "post", path, "/v1/distros/a%2fb/failed", 400, body);
  CHECK(rig.product.performed.size() == 1);
  rig.product.refusal = "no";
  check(api, rig, "post", path, target, 409, body);
  const Json& schema =
      api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
  CHECK(mismatch(api, schema, *Json::parse(body), "") == "");
}

TEST_CASE("control_api/openapi: those turned away at the door are documented") {
  const Json api = load(kOpenApiFile);
  control::Rig stranger({}, ::geteuid() + 1);
  control::Limits limits;
  limits.sessions = 0;
  control::Rig full(limits);
  for (auto* rig : {&stranger, &full}) {
    auto client = rig->connect();
    REQUIRE(client.answer());
    const auto body = Json::parse(client.body);
    REQUIRE(body.ok());
    for (const auto& path : api["paths"].members())
      for (const auto& operation : path.value.members()) {
        const Json& answer = operation.value["responses"][std::to_string(client.status())];
        CAPTURE(path.key);
        CHECK(mismatch(api, answer["content"]["application/json"]["schema"], *body, "") == "");
      }
  }
}

TEST_CASE("control_api/openapi: the document and the agent have the same calls and sections") {
  const Json api = load(kOpenApiFile);
  ProductRig rig;
  CHECK(calls_of(api) == calls_of(rig.api.calls));
  CHECK(sections_of(api) == sections_of(rig.api.sections));
}

TEST_CASE("control_api/openapi: the check itself finds what is wrong") {
  const Json api = load(kOpenApiFile);
  const Json& schema = api["components"]["schemas"]["Socket"];
  auto with = [](const char* text) { return *Json::parse(text); };
  CHECK(mismatch(api, schema, with(R"({"path":"a","purpose":"b","connections":1,"streams":0,
                                    "stalled":0,"full":false})"),
                 "") == "");
  CHECK(mismatch(api, schema, with(R"({"path":"a","purpose":"b","connections":1})"), "") != "");
  CHECK(mismatch(api, schema, with(R"({"path":1,"purpose":"b","connections":1,"streams":0,
                                    "stalled":0,"full":false})"),
                 "") != "");
  CHECK(mismatch(api, schema, with(R"({"path":"a","purpose":"b","connections":1,"streams":0,
                         "stalled":0,"full":false,"x":0})"),
                 "") != "");
}
