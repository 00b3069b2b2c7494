#include "json/json.h"

#include <doctest/doctest.h>

#include <string>

using causeway::json::Json;
using causeway::json::ObjectReader;

TEST_CASE("json/json: a document passes through unchanged") {
  for (const char* text : {
           R"({"b":1,"a":[true,false,null],"c":{"x":"y"}})",
           R"({"n":1e3,"big":12345678901234567890123,"neg":-5})",
           R"(["a\"b\\c","\n\t","grün"])",
           R"("")",
           R"({})",
           R"([])",
       }) {
    CAPTURE(text);
    auto parsed = Json::parse(text);
    REQUIRE(parsed.ok());
    CHECK(parsed->dump() == text);
    CHECK(Json::parse(parsed->dump(2)).value() == *parsed);
  }
}

TEST_CASE("json/json: what isn't strict JSON is refused with its place") {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (const auto& c : {
           Case{"{\"a\": 1,\n  }", "line 2, column 3"},
           Case{"", "line 1, column 1"},
           Case{"{} x", "line 1, column 4"},
           Case{"{\"a\": 1 /* no */}", "line 1"},
           Case{"{\"a\": {\"x/y\": 1, \"x/y\": 2}}", "/a/x~1y: key is there twice"},
           Case{"[{}, {\"k\": 1, \"k\": 2}]", "/1/k: key is there twice"},
           Case{"\"\xff\"", "line 1"},
           Case{"{'a': 1}", "line 1, column 2"},
           Case{"nul", "line 1"},
           Case{"[1e999]", "number overflow"},
       }) {
    CAPTURE(c.text);
    auto parsed = Json::parse(c.text);
    REQUIRE_FALSE(parsed.ok());
    CAPTURE(parsed.error().message);
    CHECK(parsed.error().message.find(c.expected) != std::string::npos);
  }
}

TEST_CASE("json/json: depth is bounded") {
  CHECK(Json::parse(std::string(64, '[') + std::string(64, ']')).ok());
  auto deep = Json::parse(std::string(65, '[') + std::string(65, ']'));
  REQUIRE_FALSE(deep.ok());
  CHECK(deep.error().message == "nested deeper than 64 levels");
  CHECK_FALSE(Json::parse(std::string(1000000, '[')).ok());
}

TEST_CASE("json/json: text that isn't UTF-8 is written as valid UTF-8") {
  CHECK(Json(std::string("a\xff\x80z")).dump() == "\"a\xef\xbf\xbd\xef\xbf\xbdz\"");
  CHECK(Json(std::string("\xe2\x82")).dump() == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(Json(std::string("\xed\xa0\x80")).dump() == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(Json(std::string("\xf0\x9f\x90\xb3")).dump() == "\"\xf0\x9f\x90\xb3\"");
  CHECK(Json(std::string("\0\x1b", 2)).dump() == "\"\\u0000\\u001b\"");
}

TEST_CASE("json/json: values are built, replaced and removed") {
  Json value = Json::object({{"name", "dockerd"}, {"pid", 42}, {"ready", true}});
  value.set("pid", 43).set("ratio", 0.5).set("list", Json::array({1, "two"}));
  CHECK(value.dump() == R"({"name":"dockerd","pid":43,"ready":true,"ratio":0.5,"list":[1,"two"]})");
  CHECK(value.erase("ready"));
  CHECK_FALSE(value.erase("ready"));
  CHECK(value["pid"].int_or(0) == 43);
  CHECK(value["missing"]["deeper"].is_null());
  CHECK(value["name"].as_int() == std::nullopt);
  CHECK(value["list"].items().size() == 2);
  Json list;
  list.push(1).push(Json());
  CHECK(list.dump() == "[1,null]");
  CHECK(list.dump(2) == "[\n  1,\n  null\n]");
}

TEST_CASE("json/json: equality ignores the order of members only") {
  CHECK(Json::parse(R"({"a":1,"b":2})").value() == Json::parse(R"({"b":2,"a":1})").value());
  CHECK_FALSE(Json::parse(R"({"a":1})").value() == Json::parse(R"({"a":1,"b":2})").value());
  CHECK_FALSE(Json::parse(R"([1,2])").value() == Json::parse(R"([2,1])").value());
  CHECK_FALSE(Json(1) == Json("1"));
}

namespace {

struct Spec {
  std::string name;
  std::int64_t seconds = 5;
  std::vector<std::string> words;
  std::vector<std::vector<std::string>> lists;
  std::map<std::string, std::string> pairs;
  bool on = false;
  std::vector<std::string> steps;
};

std::string read_error(const char* text, Spec& spec) {
  const auto document = Json::parse(text);
  REQUIRE(document.ok());
  ObjectReader in(*document);
  in.require("name").read("name", spec.name);
  in.read("words", spec.words);
  in.read("lists", spec.lists);
  in.read("pairs", spec.pairs);
  in.read("on", spec.on);
  in.object("stop", [&](ObjectReader& stop) { stop.read("seconds", spec.seconds, 0, 60); });
  in.objects("steps", [&](ObjectReader& step) {
    step.require("run").read("run", spec.steps.emplace_back());
  });
  const auto done = in.finish();
  return done.ok() ? "" : done.error().message;
}

}  // namespace

TEST_CASE("json/json: a reader takes known members and leaves absent ones alone") {
  Spec spec;
  CHECK(read_error(
            R"({"name":"n","words":["a"],"lists":[["b","c"],[]],"pairs":{"k":"v"},"on":true,
              "steps":[{"run":"x"},{"run":"y"}]})",
            spec) == "");
  CHECK(spec.steps == std::vector<std::string>{"x", "y"});
  CHECK(spec.name == "n");
  CHECK(spec.seconds == 5);
  CHECK(spec.words == std::vector<std::string>{"a"});
  CHECK(spec.lists.size() == 2);
  CHECK(spec.pairs.at("k") == "v");
  CHECK(spec.on);
}

TEST_CASE("json/json: a reader's error names the JSON pointer") {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (const auto& c : {
           Case{R"([])", "the document: expected an object, found an array"},
           Case{R"({})", "/name: is missing"},
           Case{R"({"name":1})", "/name: expected a string, found a number"},
           Case{R"({"name":"n","more":1})", "/more: unknown key"},
           Case{R"({"name":"n","stop":{"secnods":1}})", "/stop/secnods: unknown key"},
           Case{R"({"name":"n","stop":{"seconds":61}})",
                "/stop/seconds: expected a whole number from 0 to 60, found 61"},
           Case{R"({"name":"n","stop":{"seconds":1.5}})",
                "/stop/seconds: expected a whole number from 0 to 60, found 1.5"},
           Case{R"({"name":"n","words":["a",2]})", "/words/1: expected a string, found a number"},
           Case{R"({"name":"n","steps":{}})", "/steps: expected an array, found an object"},
           Case{R"({"name":"n","steps":[{"run":"x"},1]})",
                "/steps/1: expected an object, found a number"},
           Case{R"({"name":"n","steps":[{"run":"x"},{}]})", "/steps/1/run: is missing"},
           Case{R"({"name":"n","steps":[{"run":"x","ran":""}]})", "/steps/0/ran: unknown key"},
           Case{R"({"name":"n","lists":[["a"],"b"]})",
                "/lists/1: expected an array, found a string"},
           Case{R"({"name":"n","lists":[[null]]})", "/lists/0/0: expected a string, found null"},
           Case{R"({"name":"n","pairs":{"a/b":true}})",
                "/pairs/a~1b: expected a string, found true or false"},
           Case{R"({"name":"n","on":"true"})", "/on: expected true or false, found a string"},
       }) {
    CAPTURE(c.text);
    Spec spec;
    CHECK(read_error(c.text, spec) == c.expected);
  }
}

TEST_CASE("json/json: a reader may ignore what it doesn't know, also in inner objects") {
  const auto document = Json::parse(R"({"a":1,"more":[],"in":{"b":2,"c":3},"list":[{"d":4}]})");
  REQUIRE(document.ok());
  std::int64_t a = 0;
  std::int64_t b = 0;
  ObjectReader in(*document, ObjectReader::Unknown::ignored);
  in.read("a", a, 0, 9);
  in.object("in", [&](ObjectReader& inner) { inner.read("b", b, 0, 9); });
  in.objects("list", [](ObjectReader&) {});
  CHECK(in.finish().ok());
  CHECK(a + b == 3);
  CHECK(in.asked() == std::vector<std::string>{"/a", "/in", "/in/b", "/list"});
  in.require("x");
  CHECK(in.finish().error().message == "/x: is missing");
}
