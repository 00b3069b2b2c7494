// RequestScanner by pairs of files in cases/: <case>.in.json is the client's body, <case>.out.json
// what the engine gets, or {"refused": a part of the reason}. A case is named after its call.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine_api/request_scanner.h"
#include "samples.h"

using namespace causeway;
using engine_api::Call;
using engine_api::PathValue;
using engine_api::RequestScanner;

namespace {

struct Outcome {
  std::string refused;
  std::vector<PathValue> values;
};

Outcome scan(Call call, const std::vector<std::string_view>& pieces) {
  RequestScanner scanner(call);
  Status status = Ok{};
  for (const std::string_view piece : pieces) {
    status = scanner.feed(piece);
    if (!status.ok()) break;
  }
  const Status end = scanner.finish();
  if (status.ok()) status = end;
  CHECK(end.ok() == status.ok());  // an error is final
  if (!status.ok()) return {status.error().message, {}};
  return {"", scanner.values()};
}

Outcome scan(Call call, std::string_view body) {
  return scan(call, std::vector<std::string_view>{body});
}

std::string mapped(std::string_view body, const std::vector<PathValue>& values) {
  std::string out;
  std::size_t at = 0;
  for (const PathValue& value : values) {
    REQUIRE(value.begin >= at);
    REQUIRE(value.end <= body.size());
    REQUIRE(body[value.begin] == '"');
    REQUIRE(body[value.end - 1] == '"');
    const std::string path = samples::map(value.source);
    if (path == value.source) continue;
    CHECK(engine_api::can_replace(value, path).ok());
    out.append(body.substr(at, value.begin - at));
    out += engine_api::replacement(value, path);
    at = value.end;
  }
  return out.append(body.substr(at));
}

Call call_of(const std::string& name) {
  if (name.starts_with("create_")) return Call::container_create;
  if (name.starts_with("start_")) return Call::container_start_with_config;
  if (name.starts_with("volume_")) return Call::volume_create;
  if (name.starts_with("service_")) return Call::service_create;
  return Call::other;
}

}  // namespace

TEST_CASE("engine_api/request_scanner: pairs of files, however they are cut") {
  std::size_t count = 0;
  for (const std::string& name : samples::cases()) {
    const Call call = call_of(name);
    if (call == Call::other) continue;
    CAPTURE(name);
    ++count;
    const std::string in = samples::read(name + ".in.json");
    const std::string expected = samples::read(name + ".out.json");
    const auto json = nlohmann::json::parse(expected, nullptr, false);
    const bool refused = json.is_object() && json.contains("refused");
    const Outcome whole = scan(call, in);
    if (refused) {
      CAPTURE(whole.refused);
      CHECK(whole.refused.find(json["refused"].get<std::string>()) != std::string::npos);
    } else {
      CHECK(whole.refused == "");
      CHECK(mapped(in, whole.values) == expected);
    }
    samples::for_each_cut(in, [&](const auto& pieces) {
      const Outcome cut = scan(call, pieces);
      REQUIRE(cut.refused == whole.refused);
      REQUIRE(cut.values.size() == whole.values.size());
      for (std::size_t i = 0; i < cut.values.size(); ++i) {
        REQUIRE(cut.values[i].kind == whole.values[i].kind);
        REQUIRE(cut.values[i].begin == whole.values[i].begin);
        REQUIRE(cut.values[i].end == whole.values[i].end);
        REQUIRE(cut.values[i].source == whole.values[i].source);
        REQUIRE(cut.values[i].rest == whole.values[i].rest);
      }
    });
  }
  CHECK(count >= 70);
}

TEST_CASE("engine_api/request_scanner: bytes that no text file should hold") {
  struct Case {
    const char* name;
    std::string body;
    const char* refused;  // "" when it isn't
  };
  const std::string bind = R"({"HostConfig":{"Binds":["/a:/a"]}})";
  const std::vector<Case> cases = {
      {"nothing at all", "", ""},
      {"white space", " \r\n\t ", ""},
      {"tabs and carriage returns", "\t{\r\n\t\"HostConfig\"\t:\r{}}\r\n", ""},
      {"byte order mark", "\xef\xbb\xbf" + bind, "no value"},
      {"NUL in front", std::string(1, '\0') + bind, "no value"},
      {"NUL behind", bind + '\0', "something stands behind"},
      {"NUL in a string", std::string("{\"a\":\"\0\"}", 9), "a string that is none"},
      {"form feed", "\f" + bind, "no value"},
      {"no-break space", "\xc2\xa0" + bind, "no value"},
      {"DEL in a string", "{\"a\":\"\x7f\"}", ""},
      {"UTF-16", std::string("\xff\xfe{\0}\0", 6), "no value"},
      {"bad UTF-8 beside", "{\"a\":\"\xff\xc0\x80\"}", ""},
      {"NaN", R"({"a":NaN})", "no value"},
      {"Infinity", R"({"a":-Infinity})", "a number that is none"},
      {"leading zero", R"({"a":01})", "no comma"},
      {"leading plus", R"({"a":+1})", "no value"},
      {"no digits", R"({"a":-})", "a number that is none"},
      {"point at the end", R"({"a":1.})", "a number that is none"},
      {"point in front", R"({"a":.5})", "no value"},
      {"exponent without digits", R"({"a":1e+})", "a number that is none"},
      {"hexadecimal", R"({"a":0x10})", "no comma"},
      {"numbers of all forms", R"({"a":[0,-0,1.5,1E9,-1e-9,0.0e+0,1234567890123456789012]})", ""},
      {"half a word", R"({"a":tru})", "a word that means nothing"},
      {"a word and more", R"({"a":truee})", "no comma"},
      {"capital", R"({"a":True})", "no value"},
      {"mismatched brackets", R"({"a":[}})", "no value"},
      {"object closed as an array", R"({"a":1])", "no comma"},
      {"key without a value", R"({"a"})", "no colon"},
      {"key that is a number", R"({1:2})", "no key"},
      {"two commas", R"({"a":1,,"b":2})", "no key"},
      {"comma at the end", R"({"a":1,})", "no key"},
      {"only a closing bracket", "}", "no value"},
      {"only a comma", ",", "no value"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Outcome whole = scan(Call::container_create, c.body);
    CAPTURE(whole.refused);
    if (*c.refused == '\0') {
      CHECK(whole.refused == "");
    } else {
      CHECK(whole.refused.find(c.refused) != std::string::npos);
    }
    samples::for_each_cut(c.body, [&](const auto& pieces) {
      REQUIRE(scan(Call::container_create, pieces).refused == whole.refused);
    });
  }
}

TEST_CASE("engine_api/request_scanner: depth as Go bounds it") {
  const auto deep = [](std::size_t levels, bool objects) {
    std::string out = R"({"HostConfig":{"Binds":["/a:/a"]},"x":)";
    for (std::size_t i = 1; i < levels; ++i) out += objects ? R"({"a":)" : "[";
    out += "1";
    for (std::size_t i = 1; i < levels; ++i) out += objects ? '}' : ']';
    return out + "}";
  };
  for (const bool objects : {true, false}) {
    CHECK(scan(Call::container_create, deep(10000, objects)).values.size() == 1);
    CHECK(scan(Call::container_create, deep(10001, objects)).refused.find("10000 levels") !=
          std::string::npos);
    CHECK(scan(Call::container_create, deep(1000000, objects)).refused != "");
  }
  CHECK(scan(Call::container_create, std::string(1000000, '[')).refused != "");
}

TEST_CASE("engine_api/request_scanner: strings as Go reads them") {
  struct Case {
    const char* name;
    std::string token;
    std::string source;
  };
  const std::vector<Case> cases = {
      {"escapes", R"(\/\b\f\n\r\t\"\\)", "/\b\f\n\r\t\"\\"},
      {"hex digits in both cases", R"(\u00fC\u00Fc)", "\xc3\xbc\xc3\xbc"},
      {"NUL", R"(/a\u0000b)", std::string("/a\0b", 4)},
      {"three bytes", R"(\u20ac)", "\xe2\x82\xac"},
      {"pair", R"(\ud83d\udc33)", "\xf0\x9f\x90\xb3"},
      {"high alone", R"(\ud83dx)", "\xef\xbf\xbdx"},
      {"high at the end", R"(\ud83d)", "\xef\xbf\xbd"},
      {"low alone", R"(\udc33x)", "\xef\xbf\xbdx"},
      {"low before high", R"(\udc33\ud83d)", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"high before a pair", R"(\ud83d\ud83d\udc33)", "\xef\xbf\xbd\xf0\x9f\x90\xb3"},
      {"high before another escape", R"(\ud83d\n)", "\xef\xbf\xbd\n"},
      {"high before a letter", R"(\ud83dA)",
       "\xef\xbf\xbd"
       "A"},
      {"bad bytes, one by one", "\xff\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"a character broken off", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
      {"an encoded surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const std::string body =
        R"({"HostConfig":{"Mounts":[{"Type":"b\u0069nd","Source":")" + c.token + "\"}]}}";
    samples::for_each_cut(body, [&](const auto& pieces) {
      const Outcome outcome = scan(Call::container_create, pieces);
      REQUIRE(outcome.refused == "");
      REQUIRE(outcome.values.size() == 1);
      REQUIRE(outcome.values[0].source == c.source);
      REQUIRE(
          body.substr(outcome.values[0].begin, outcome.values[0].end - outcome.values[0].begin) ==
          "\"" + c.token + "\"");
    });
  }
}

TEST_CASE("engine_api/request_scanner: binds are taken apart at the source's end") {
  struct Case {
    const char* bind;  // as a JSON string
    const char* source;
    const char* rest;
  };
  const std::vector<Case> cases = {
      {"/a:/b", "/a", ":/b"},
      {"/a:/b:ro,z", "/a", ":/b:ro,z"},
      {"/a b/c:/b", "/a b/c", ":/b"},
      {R"(C:\\x:/b)", R"(C:\x)", ":/b"},
      {R"(c:/x y:/b:ro)", "c:/x y", ":/b:ro"},
      {R"(\\\\wsl$\\Ubuntu\\x:/b)", R"(\\wsl$\Ubuntu\x)", ":/b"},
      {R"(\\\\?\\C:\\x:/b)", R"(\\?\C:\x)", ":/b"},
      {"//c/x:/b", "//c/x", ":/b"},
      {"vol:/b", "vol", ":/b"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.bind);
    const std::string body = R"({"HostConfig":{"Binds":[")" + std::string(c.bind) + "\"]}}";
    const Outcome outcome = scan(Call::container_create, body);
    REQUIRE(outcome.values.size() == 1);
    CHECK(outcome.values[0].kind == PathValue::Kind::bind);
    CHECK(outcome.values[0].source == c.source);
    CHECK(outcome.values[0].rest == c.rest);
  }
  for (const char* none : {"/a", "", ":/b", R"(C:\\x)"}) {
    CAPTURE(none);
    const std::string body = R"({"HostConfig":{"Binds":[")" + std::string(none) + "\"]}}";
    const Outcome outcome = scan(Call::container_create, body);
    CHECK(outcome.refused == "");
    CHECK(outcome.values.empty());
  }
}

TEST_CASE("engine_api/request_scanner: bounds what one request makes us hold") {
  const auto with_binds = [](std::size_t count, std::size_t length) {
    std::string out = R"({"HostConfig":{"Binds":[)";
    for (std::size_t i = 0; i < count; ++i) {
      out += (i == 0 ? "\"/" : ",\"/") + std::string(length - 4, 'a') + ":/b\"";
    }
    return out + "]}}";
  };
  CHECK(scan(Call::container_create, with_binds(4096, 100)).values.size() == 4096);
  CHECK(scan(Call::container_create, with_binds(4097, 100)).refused.find("4096") !=
        std::string::npos);
  CHECK(scan(Call::container_create, with_binds(1, 64 * 1024)).values.size() == 1);
  CHECK(scan(Call::container_create, with_binds(1, 64 * 1024 + 1)).refused.find("64 KiB") !=
        std::string::npos);
  CHECK(scan(Call::container_create, with_binds(64, 64 * 1024)).values.size() == 64);
  CHECK(scan(Call::container_create, with_binds(65, 64 * 1024)).refused.find("4 MiB") !=
        std::string::npos);
  // A long string of another kind, and a long key, are nobody's business.
  const std::string longest(200000, 'x');
  const std::string around =
      R"({"Image":")" + longest + "\",\"" + longest + R"(":1,"HostConfig":{"Binds":["/a:/a"]}})";
  CHECK(scan(Call::container_create, around).values.size() == 1);
  const std::string type =
      R"({"HostConfig":{"Mounts":[{"Type":")" + longest + R"(","Source":"/a"}]}})";
  CHECK(scan(Call::container_create, type).values.empty());
}

TEST_CASE("engine_api/request_scanner: an error is final, even if the rest would be fine") {
  RequestScanner scanner(Call::container_create);
  CHECK(scanner.feed("{]").ok() == false);
  CHECK(scanner.feed("{}").ok() == false);
  CHECK(scanner.finish().ok() == false);
}

TEST_CASE("engine_api/request_scanner: the new token says the path and the rest of the bind") {
  const PathValue bind{PathValue::Kind::bind, 0, 0, "/a", ":/b:ro"};
  const PathValue mount{PathValue::Kind::mount, 0, 0, "/a", ""};
  CHECK(engine_api::replacement(bind, "/x") == R"("/x:/b:ro")");
  CHECK(engine_api::replacement(mount, "/x y") == R"("/x y")");
  CHECK(engine_api::replacement(mount, "/q\"b\\n\nt\t\x01") == R"("/q\"b\\n\nt\t\u0001")");
  CHECK(engine_api::replacement(mount, "/\xf0\x9f\x90\xb3") == "\"/\xf0\x9f\x90\xb3\"");
  // What JSON can't say is a name that no file has, never another file's.
  CHECK(engine_api::replacement(mount, "/\xff") == R"("/\u0000")");

  CHECK(engine_api::can_replace(bind, "/x y").ok());
  CHECK(engine_api::can_replace(mount, "/x:y\xc3\xbc").ok());
  CHECK_FALSE(engine_api::can_replace(bind, "/x:y").ok());
  CHECK_FALSE(engine_api::can_replace(bind, "/\xff").ok());
  CHECK_FALSE(engine_api::can_replace(mount, "/\xc3").ok());
  CHECK_FALSE(engine_api::can_replace(mount, std::string_view("/a\0b", 4)).ok());
}
