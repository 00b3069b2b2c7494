// openapi.json and the server, held against each other.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/file.h"
#include "control/routes.h"
#include "json/json.h"
#include "rig.h"

extern const char* const kOpenApiFile;

using namespace causeway;
using namespace causeway::control;
using json::Json;

namespace {

Json load() {
  auto text = file::read(kOpenApiFile);
  REQUIRE_MESSAGE(text.ok(), kOpenApiFile);
  auto json = Json::parse(*text);
  REQUIRE_MESSAGE(json.ok(), (json ? "" : json.error().message));
  return *std::move(json);
}

std::string upper(std::string s) {
  for (char& c : s)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return s;
}

// What `value` has wrong against `schema`, empty when nothing.
std::string mismatch(const Json& api, const Json& schema, const Json& value,
                     const std::string& at) {
  if (const auto* ref = schema["$ref"].as_string())
    return mismatch(api, api["components"]["schemas"][ref->substr(ref->rfind('/') + 1)], value, at);
  if (value.is_null() && schema["nullable"].bool_or(false)) return "";
  const std::string type = schema["type"].string_or("");
  if (type == "string") {
    const auto* text = value.as_string();
    if (text == nullptr) return at + ": not a string";
    if (schema["enum"].is_array()) {
      for (const Json& allowed : schema["enum"].items())
        if (allowed == value) return "";
      return at + ": " + *text + " is none of the enum";
    }
    return "";
  }
  if (type == "boolean") return value.as_bool() ? "" : at + ": not a boolean";
  if (type == "integer") return value.as_int() ? "" : at + ": not an integer";
  if (type == "array") {
    if (!value.is_array()) return at + ": not an array";
    for (const Json& item : value.items())
      if (auto bad = mismatch(api, schema["items"], item, at + "[]"); !bad.empty()) return bad;
    return "";
  }
  if (type != "object") return at + ": the schema has the type '" + type + "'";
  if (!value.is_object()) return at + ": not an object";
  for (const Json& key : schema["required"].items())
    if (value.find(*key.as_string()) == nullptr) return at + ": lacks " + *key.as_string();
  for (const auto& member : value.members()) {
    const Json& property = schema["properties"][member.key];
    if (property.is_null()) return at + ": has the undocumented " + member.key;
    if (auto bad = mismatch(api, property, member.value, at + "." + member.key); !bad.empty())
      return bad;
  }
  return "";
}

// Asks and holds the answer against what is documented for this operation and status.
void check(const Json& api, Rig& rig, const std::string& method, const std::string& path,
           const std::string& target, int expected, const std::string& body = {}) {
  CAPTURE(method);
  CAPTURE(target);
  auto client = rig.connect();
  client.request(upper(method), target, "Content-Length: " + std::to_string(body.size()) + "\r\n");
  client.send(body);
  const bool stream = path == "/v1/events" && expected == 200;
  REQUIRE((stream ? client.lines(1) : client.answer()));
  CHECK(client.status() == expected);
  const Json& answer =
      api["paths"][path][method]["responses"][std::to_string(client.status())]["content"];
  const Json& documented = api["paths"][path][method]["responses"];
  REQUIRE(documented.find(std::to_string(client.status())) != nullptr);
  if (expected == 204) return;
  const std::string type = client.field("content-type");
  REQUIRE_MESSAGE(answer[type].is_object(), "undocumented: ", client.status(), " ", type);
  std::string text = client.body;
  if (type == "application/x-ndjson") text.resize(text.find('\n') + 1);
  if (text.empty()) return;
  auto answered = Json::parse(text);
  REQUIRE(answered.ok());
  CHECK(mismatch(api, answer[type]["schema"], *answered, "") == "");
}

}  // namespace

TEST_CASE("control/openapi: every documented operation answers as documented") {
  const Json api = load();
  for (const auto& path : api["paths"].members()) {
    for (const auto& operation : path.value.members()) {
      std::string target = path.key;
      if (const auto at = target.find("{name}"); at != std::string::npos)
        target.replace(at, 6, "dockerd");
      if (operation.value.find("requestBody") != nullptr) continue;  // tests of their own
      Rig rig;
      rig.backend.behind_command = target.ends_with("/stop") ? control_api::ServiceState::off
                                                             : control_api::ServiceState::ready;
      const bool service = path.key.starts_with("/v1/services/");
      const int begun = service ? 202 : 204;
      check(api, rig, operation.key, path.key, target, operation.key == "post" ? begun : 200);
      check(api, rig, operation.key, path.key, target + "?nonsense=1", 400);
      if (operation.key != "post") continue;
      if (service) check(api, rig, operation.key, path.key, target + "?wait=1", 200);
      std::string nobody = path.key;
      nobody.replace(nobody.find("{name}"), 6, "nobody");
      check(api, rig, operation.key, path.key, nobody, 404);
      rig.backend.refusal = "no";
      check(api, rig, operation.key, path.key, target, 409);
    }
  }
  Rig rig;
  rig.backend.behind_command = control_api::ServiceState::failed;
  check(api, rig, "post", "/v1/services/{name}/start", "/v1/services/dockerd/start?wait=1", 500);
  check(api, rig, "get", "/v1/logs", "/v1/logs?service=nobody", 404);
  Limits limits;
  limits.wait_s = 0;
  Rig impatient(limits);
  check(api, impatient, "post", "/v1/services/{name}/start", "/v1/services/dockerd/start?wait=1",
        504);
}

TEST_CASE("control/openapi: the clock") {
  const Json api = load();
  Rig rig;
  const std::string path = "/v1/clock";
  check(api, rig, "post", path, path, 200, R"({"unix_ms":1700000000000})");
  CHECK(rig.backend.performed == std::vector<std::string>{"clock 1700000000000"});
  for (const char* bad : {"", "{}", R"({"unix_ms":"1"})", R"({"unix_ms":1,"x":1})", "[1]",
                          R"({"unix_ms":0})", R"({"unix_ms":-1})", R"({"unix_ms":1e3})"})
    check(api, rig, "post", path, path, 400, bad);
  CHECK(rig.backend.performed.size() == 1);
  rig.backend.refusal = "no";
  check(api, rig, "post", path, path, 409, R"({"unix_ms":1700000000000})");
  const Json sent = *Json::parse(R"({"unix_ms":1700000000000})");
  const Json& schema =
      api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
  CHECK(mismatch(api, schema, sent, "") == "");
}

TEST_CASE("control/openapi: those turned away at the door are documented") {
  const Json api = load();
  Rig stranger({}, ::geteuid() + 1);
  Limits limits;
  limits.sessions = 0;
  Rig full(limits);
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

TEST_CASE("control/openapi: the file and the table of routes have the same calls and parameters") {
  const Json api = load();
  std::set<std::string> documented;
  for (const auto& path : api["paths"].members())
    for (const auto& operation : path.value.members()) {
      const std::string call = upper(operation.key) + " " + path.key;
      documented.insert(call);
      for (const Json& parameter : operation.value["parameters"].items())
        if (parameter["in"].string_or("") == "query") {
          const Json& schema = parameter["schema"];
          documented.insert(call + "?" + parameter["name"].string_or("") + " " +
                            std::to_string(schema["minimum"].int_or(0)) + "-" +
                            std::to_string(schema["maximum"].int_or(0)));
        }
    }
  std::set<std::string> served;
  for (const Route& route : routes()) {
    const std::string call = std::string(route.method) + " " + std::string(route.path);
    served.insert(call);
    for (const auto& parameter : route.parameters)
      served.insert(call + "?" + std::string(parameter.name) + " " +
                    std::to_string(parameter.least) + "-" + std::to_string(parameter.most));
  }
  CHECK(documented == served);
}

TEST_CASE("control/openapi: the check itself finds what is wrong") {
  const Json api = load();
  const Json& schema = api["components"]["schemas"]["Socket"];
  auto with = [](const char* text) { return *Json::parse(text); };
  CHECK(mismatch(api, schema, with(R"({"path":"a","purpose":"b","connections":1,"streams":0})"),
                 "") == "");
  CHECK(mismatch(api, schema, with(R"({"path":"a","purpose":"b","connections":1})"), "") != "");
  CHECK(mismatch(api, schema, with(R"({"path":1,"purpose":"b","connections":1,"streams":0})"),
                 "") != "");
  CHECK(mismatch(api, schema,
                 with(R"({"path":"a","purpose":"b","connections":1,"streams":0,"x":0})"),
                 "") != "");
}
