// An OpenAPI document, and what holds answers and tables of calls against it.
#pragma once

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "../control/rig.h"
#include "base/file.h"
#include "json/json.h"

namespace causeway::control_api::openapi {

using json::Json;

inline Json load(const char* path) {
  auto text = file::read(path);
  REQUIRE_MESSAGE(text.ok(), path);
  auto json = Json::parse(*text);
  REQUIRE_MESSAGE(json.ok(), (json ? "" : json.error().message));
  return *std::move(json);
}

inline std::string upper(std::string s) {
  for (char& c : s)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return s;
}

// What `value` has wrong against `schema`, empty when nothing.
inline std::string mismatch(const Json& api, const Json& schema, const Json& value,
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
inline void check(const Json& api, control::Rig& rig, const std::string& method,
                  const std::string& path, const std::string& target, int expected,
                  const std::string& body = {}) {
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

// "POST /v1/x", "POST /v1/x?wait 0-1", "POST /v1/x: lines", as documented.
inline std::multiset<std::string> calls_of(const Json& api) {
  std::multiset<std::string> out;
  for (const auto& path : api["paths"].members())
    for (const auto& operation : path.value.members()) {
      const std::string call = upper(operation.key) + " " + path.key;
      out.insert(call);
      if (operation.value["responses"]["200"]["content"].find("application/x-ndjson") != nullptr)
        out.insert(call + ": lines");
      for (const Json& parameter : operation.value["parameters"].items())
        if (parameter["in"].string_or("") == "query") {
          const Json& schema = parameter["schema"];
          out.insert(call + "?" + parameter["name"].string_or("") + " " +
                     std::to_string(schema["minimum"].int_or(0)) + "-" +
                     std::to_string(schema["maximum"].int_or(0)));
        }
    }
  return out;
}

// The same, as served.
inline std::multiset<std::string> calls_of(const control::Calls& calls) {
  std::multiset<std::string> out;
  for (const auto& [route, handler] : calls.all()) {
    const std::string call = std::string(route.method) + " " + std::string(route.path);
    out.insert(call);
    if (route.lines) out.insert(call + ": lines");
    for (const auto& parameter : route.parameters)
      out.insert(call + "?" + std::string(parameter.name) + " " + std::to_string(parameter.least) +
                 "-" + std::to_string(parameter.most));
  }
  return out;
}

// The names of the status' sections.
inline std::multiset<std::string> sections_of(const Json& api) {
  std::multiset<std::string> out;
  for (const auto& section : api["components"]["schemas"]["Status"]["properties"].members())
    out.insert(section.key);
  return out;
}
inline std::multiset<std::string> sections_of(const control::Sections& sections) {
  const auto names = sections.names();
  return {names.begin(), names.end()};
}

}  // namespace causeway::control_api::openapi
