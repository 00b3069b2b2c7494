// RequestScanner by pairs of files in cases/: <case>.in.json is the client's body, <case>.out.json
// what the engine gets, or {"refused": a part of the reason}. A case is named after its call; in
// one named add_… all kinds of findings of a create are wanted, and each list gets an entry.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine_api/path_edits.h"
#include "engine_api/request_scanner.h"
#include "samples.h"

using namespace causeway;
using engine_api::Call;
using engine_api::EntryList;
using engine_api::FindingKinds;
using engine_api::Findings;
using engine_api::PathValue;
using engine_api::RequestScanner;

namespace {

constexpr FindingKinds kPaths{.paths = true};
constexpr FindingKinds kAll{.paths = true, .environment = true, .labels = true, .hosts = true};

struct Outcome {
  std::string refused;
  Findings found;
};

Outcome scan(Call call, const std::vector<std::string_view>& pieces, FindingKinds kinds = kPaths) {
  RequestScanner scanner(call, kinds);
  Status status = Ok{};
  for (const std::string_view piece : pieces) {
    status = scanner.feed(piece);
    if (!status.ok()) break;
  }
  const Status end = scanner.finish();
  if (status.ok()) status = end;
  CHECK(end.ok() == status.ok());  // an error is final
  if (!status.ok()) return {status.error().message, {}};
  return {"", scanner.take()};
}

Outcome scan(Call call, std::string_view body, FindingKinds kinds = kPaths) {
  return scan(call, std::vector<std::string_view>{body}, kinds);
}

bool same(const EntryList& a, const EntryList& b) {
  return a.state == b.state && a.at == b.at && a.alone == b.alone &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const auto& x, const auto& y) {
                      return x.begin == y.begin && x.end == y.end && x.key == y.key &&
                             x.text == y.text;
                    });
}

bool same(const Findings& a, const Findings& b) {
  return same(a.environment, b.environment) && same(a.labels, b.labels) && same(a.hosts, b.hosts) &&
         std::equal(a.paths.begin(), a.paths.end(), b.paths.begin(), b.paths.end(),
                    [](const auto& x, const auto& y) {
                      return x.kind == y.kind && x.begin == y.begin && x.end == y.end &&
                             x.source == y.source && x.rest == y.rest && x.lead == y.lead;
                    });
}

// With the paths mapped; with `kAll` an entry more in each list, if there can be one.
std::string edited(std::string_view body, const Findings& found, FindingKinds kinds) {
  std::vector<std::string> mapped;
  for (const std::string& source : engine_api::sources(found)) {
    mapped.push_back(samples::map(source));
  }
  auto edits = engine_api::path_edits(found, mapped);
  REQUIRE(edits.ok());
  if (kinds.environment) edits->add(found.environment, "ADDED=1");
  if (kinds.labels) edits->add(found.labels, "added", "1");
  if (kinds.hosts) edits->add(found.hosts, "added:10.0.0.1");
  const auto ordered = edits->of_body();
  REQUIRE(ordered.ok());
  return engine_api::edited(body, *ordered);
}

Call call_of(const std::string& name) {
  if (name.starts_with("create_") || name.starts_with("add_")) return Call::container_create;
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
    const FindingKinds kinds = name.starts_with("add_") ? kAll : kPaths;
    const Outcome whole = scan(call, in, kinds);
    if (refused) {
      CAPTURE(whole.refused);
      CHECK(whole.refused.find(json["refused"].get<std::string>()) != std::string::npos);
    } else {
      CHECK(whole.refused == "");
      CHECK(edited(in, whole.found, kinds) == expected);
    }
    samples::for_each_cut(in, [&](const auto& pieces) {
      const Outcome cut = scan(call, pieces, kinds);
      REQUIRE(cut.refused == whole.refused);
      REQUIRE(same(cut.found, whole.found));
    });
  }
  CHECK(count >= 95);
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
    CHECK(scan(Call::container_create, deep(10000, objects)).found.paths.size() == 1);
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
      REQUIRE(outcome.found.paths.size() == 1);
      REQUIRE(outcome.found.paths[0].source == c.source);
      REQUIRE(body.substr(outcome.found.paths[0].begin,
                          outcome.found.paths[0].end - outcome.found.paths[0].begin) ==
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
    REQUIRE(outcome.found.paths.size() == 1);
    CHECK(outcome.found.paths[0].kind == PathValue::Kind::bind);
    CHECK(outcome.found.paths[0].source == c.source);
    CHECK(outcome.found.paths[0].rest == c.rest);
  }
  for (const char* none : {"/a", "", ":/b", R"(C:\\x)"}) {
    CAPTURE(none);
    const std::string body = R"({"HostConfig":{"Binds":[")" + std::string(none) + "\"]}}";
    const Outcome outcome = scan(Call::container_create, body);
    CHECK(outcome.refused == "");
    CHECK(outcome.found.paths.empty());
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
  CHECK(scan(Call::container_create, with_binds(4096, 100)).found.paths.size() == 4096);
  CHECK(scan(Call::container_create, with_binds(4097, 100)).refused.find("4096") !=
        std::string::npos);
  CHECK(scan(Call::container_create, with_binds(1, 64 * 1024)).found.paths.size() == 1);
  CHECK(scan(Call::container_create, with_binds(1, 64 * 1024 + 1)).refused.find("64 KiB") !=
        std::string::npos);
  CHECK(scan(Call::container_create, with_binds(64, 64 * 1024)).found.paths.size() == 64);
  CHECK(scan(Call::container_create, with_binds(65, 64 * 1024)).refused.find("4 MiB") !=
        std::string::npos);
  // A long string of another kind, and a long key, are nobody's business.
  const std::string longest(200000, 'x');
  const std::string around =
      R"({"Image":")" + longest + "\",\"" + longest + R"(":1,"HostConfig":{"Binds":["/a:/a"]}})";
  CHECK(scan(Call::container_create, around).found.paths.size() == 1);
  const std::string type =
      R"({"HostConfig":{"Mounts":[{"Type":")" + longest + R"(","Source":"/a"}]}})";
  CHECK(scan(Call::container_create, type).found.paths.empty());
}

TEST_CASE("engine_api/request_scanner: an error is final, even if the rest would be fine") {
  RequestScanner scanner(Call::container_create, kPaths);
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
