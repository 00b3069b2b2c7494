#include "handover/message.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "json/json.h"

using namespace causeway;
using namespace causeway::handover;

namespace {

paths::MountTable some_table() {
  return {"/mnt/wsl", {{"/mnt/c", 'c', ""}, {"/music", 'd', "/Music/old ones"}}};
}

// One of each type, with all members set.
std::vector<Body> all_bodies() {
  using State = DistroReport::State;
  return {Hello{kVersion, "Ubuntu-24.04", "1.2.3", some_table()},
          Mount{"/home/with \"blank\"", "8:1", "/sub/тест", "ext4"},
          MountsDone{},
          Unmounted{"/data"},
          TableChanged{{"", {}}},
          Socket{"/run/docker.sock"},
          Resolved{7, {{"/a b", ""}, {"", "\"/x\" is no directory"}, {"/", ""}}},
          Report{{{{"link", "/usr/local/bin/docker", State::left_alone, "not ours"},
                   {"group", "/etc/group", State::added, ""},
                   {"member", "dev", State::kept, ""},
                   {"context", "/home/me", State::failed, "no space"}},
                  {"open a new shell"}}},
          Removed{},
          Welcome{1},
          Refused{"disabled", true, 4},
          Tools{},
          Resolve{9007199254740993, {"/", "/a/../b"}},
          Remove{}};
}

std::string decode_error(std::string_view text) {
  const auto body = decode(text);
  return body.ok() ? "fine: " + std::string(type_name(*body)) : body.error().message;
}

}  // namespace

TEST_CASE("handover/message: each type comes out as it went in") {
  const auto bodies = all_bodies();
  CHECK(bodies.size() == std::variant_size_v<Body>);
  for (const auto& body : bodies) {
    CAPTURE(std::string(type_name(body)));
    const auto text = encode(body);
    REQUIRE(text.ok());
    const auto back = decode(*text);
    REQUIRE_MESSAGE(back.ok(), back.error().message);
    CHECK(*back == body);
  }
}

TEST_CASE("handover/message: the text of a hello is the one that is written down") {
  const auto text = encode(Hello{1, "D", "0.1", {"/mnt/wsl", {{"/mnt/c", 'c', ""}}}});
  REQUIRE(text.ok());
  CHECK(*text == R"({"type":"hello","protocol":"causeway-handover","version":1,"distro":"D",)"
                 R"("helper_version":"0.1","table":{"wsl":"/mnt/wsl",)"
                 R"("drives":[{"point":"/mnt/c","letter":"c","below":""}]}})");
}

TEST_CASE("handover/message: what isn't exactly one of the types is an error that says where") {
  struct Case {
    const char* text;
    const char* expected;
  };
  for (
      const auto& c : {
          Case{"", "a message that is no JSON: "},
          Case{"{\"type\":\"remove\"} ", "fine: remove"},
          Case{"{\"type\":\"remove\"}x", "a message that is no JSON: "},
          Case{"[]", "a message: the document: expected an object, found an array"},
          Case{"{}", "a message: /type: is missing"},
          Case{R"({"type":1})", "a message: /type: expected a string, found a number"},
          Case{R"({"type":"nonsense"})", "a message of type nonsense, which isn't known"},
          Case{R"({"type":"remove","type":"hello"})", "a message that is no JSON: "},
          Case{R"({"type":"remove","more":1})", "fine: remove"},
          Case{R"({"type":"refused","reason":"x","remove":false})",
               "a message: /version: is missing"},
          Case{R"({"type":"welcome"})", "a message: /version: is missing"},
          Case{R"({"type":"welcome","version":0})", "a message: /version: expected a whole"},
          Case{R"({"type":"unmounted","point":"data"})",
               "a message: /point: expected a clean absolute path"},
          Case{R"({"type":"unmounted","point":"/data/.."})",
               "a message: /point: expected a clean absolute path"},
          Case{R"({"type":"unmounted","point":"/data//x"})",
               "a message: /point: expected a clean absolute path"},
          Case{R"({"type":"unmounted","point":"/da\u0000ta"})",
               "a message: /point: expected a clean absolute path"},
          Case{R"({"type":"mount","point":"/","device":"8:1","root":"/"})",
               "a message: /fs_type: is missing"},
          Case{
              R"({"type":"table","table":{"wsl":"","drives":[{"point":"/c","letter":"cd","below":""}]}})",
              "a message: /table/drives/0/letter: expected a letter"},
          Case{R"({"type":"table","table":{"wsl":"mnt","drives":[]}})",
               "a message: /table/wsl: expected a clean absolute path"},
          Case{R"({"type":"resolved","ticket":-1,"results":[]})",
               "a message: /ticket: expected a whole"},
          Case{R"({"type":"resolved","ticket":1,"results":[{"error":""}]})",
               "a message: /results/0/error: is empty"},
          Case{R"({"type":"resolved","ticket":1,"results":[{"path":"/x","error":"y"}]})",
               "fine: resolved"},
          Case{R"({"type":"resolved","ticket":1,"results":[{}]})",
               "a message: /results/0/path: is missing"},
          Case{R"({"type":"resolve","ticket":1,"paths":["x"]})",
               "a message: /paths: expected absolute paths"},
          Case{R"({"type":"report","report":{"items":[{"what":"x","path":"/","state":"odd"}]}})",
               "a message: /report/items/0/state: expected added, kept, left_alone or failed"},
          Case{R"({"type":"hello","protocol":"yamux","version":1,"distro":"D",)"
               R"("helper_version":"","table":{"wsl":"","drives":[]}})",
               "a message: /protocol: expected causeway-handover"},
      }) {
    CAPTURE(c.text);
    const auto error = decode_error(c.text);
    CHECK_MESSAGE(error.starts_with(c.expected), error);
  }
}

TEST_CASE("handover/message: what a newer peer adds is ignored, and its hello is read") {
  const auto later = decode(R"({"type":"mount","point":"/","device":"8:1","root":"/",)"
                            R"("fs_type":"ext4","idmap":{"from":0}})");
  REQUIRE(later.ok());
  CHECK(*later == Body(Mount{"/", "8:1", "/", "ext4"}));
  CHECK(decode(R"({"type":"snapshot","of":"/"})").error().code == EOPNOTSUPP);
  CHECK(decode(R"({"type":"mount"})").error().code != EOPNOTSUPP);

  const std::string next = std::to_string(kVersion + 1);
  const auto hello = decode(R"({"type":"hello","protocol":"causeway-handover","version":)" + next +
                            R"(,"distro":"D","helper_version":"9.0","mounts":[],"table":7})");
  REQUIRE(hello.ok());
  CHECK(*hello == Body(Hello{kVersion + 1, "D", "9.0", {}}));
  const auto refused = decode(R"({"type":"refused","reason":"too old","remove":false,"version":)" +
                              next + R"(,"since":1})");
  REQUIRE(refused.ok());
  CHECK(*refused == Body(Refused{"too old", false, kVersion + 1}));
}

TEST_CASE("handover/message: a message has its bound both ways") {
  CHECK(encode(Refused{std::string(kMaxDatagram - 100, 'x'), false}).ok());
  const auto large = encode(Refused{std::string(kMaxDatagram, 'x'), false});
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().message.starts_with("the message refused has "));
  CHECK(decode_error(std::string(kMaxDatagram + 1, ' ')) == "a message that is too large");
}

TEST_CASE("handover/message: many paths go in several messages, in order, none too large") {
  std::vector<std::string> paths;
  for (int i = 0; i < 500; ++i)
    paths.push_back("/" + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 8, '\x01'));
  const auto messages = resolve_messages(5, paths);
  REQUIRE(messages.ok());
  CHECK(messages->size() > 2);
  std::vector<std::string> back;
  for (const auto& message : *messages) {
    const auto text = encode(message.body);
    REQUIRE(text.ok());
    const auto* part = std::get_if<Resolve>(&message.body);
    REQUIRE(part != nullptr);
    CHECK(part->ticket == 5);
    CHECK_FALSE(part->paths.empty());
    back.insert(back.end(), part->paths.begin(), part->paths.end());
  }
  CHECK(back == paths);

  std::vector<Resolution> results;
  for (const auto& path : paths) results.push_back({path, ""});
  std::size_t count = 0;
  for (const auto& message : resolved_messages(5, results)) {
    CHECK(encode(message.body).ok());
    for (const auto& result : std::get_if<Resolved>(&message.body)->results)
      CHECK(result == results[count++]);
  }
  CHECK(count == results.size());

  CHECK(resolve_messages(1, {})->size() == 1);
  CHECK_FALSE(resolve_messages(1, {"/" + std::string(4096, 'x')}).ok());
}

TEST_CASE("handover/message: only UTF-8 comes through") {
  CHECK(json_can_carry("/тест \x01\"\\"));
  CHECK(json_can_carry("\xef\xbf\xbd"));
  CHECK_FALSE(json_can_carry("/caf\xe9"));
  CHECK_FALSE(json_can_carry("\xed\xa0\x80"));  // a lone surrogate
}
