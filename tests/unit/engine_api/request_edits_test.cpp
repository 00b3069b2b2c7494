// Edits of several, put together; and lists that a pair of files can't show.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine_api/path_edits.h"
#include "engine_api/request_edits.h"
#include "engine_api/request_scanner.h"

using namespace causeway;
using engine_api::EntryList;
using engine_api::FindingKinds;
using engine_api::Findings;
using engine_api::RequestEdits;
using engine_api::RequestScanner;

namespace {

constexpr FindingKinds kLists{.environment = true, .labels = true, .hosts = true};

Findings scan(std::string_view body, FindingKinds kinds = kLists) {
  RequestScanner scanner(engine_api::Call::container_create, kinds);
  REQUIRE(scanner.feed(body).ok());
  REQUIRE(scanner.finish().ok());
  return scanner.take();
}

std::string refusal(std::string_view body, FindingKinds kinds = kLists) {
  RequestScanner scanner(engine_api::Call::container_create, kinds);
  const Status fed = scanner.feed(body);
  return fed.ok() ? "" : fed.error().message;
}

std::string edited(std::string_view body, const RequestEdits& edits) {
  const auto ordered = edits.of_body();
  return ordered.ok() ? engine_api::edited(body, *ordered) : ordered.error().message;
}

}  // namespace

TEST_CASE("engine_api/request_edits: what several add to a list stands side by side") {
  struct Case {
    const char* in;
    const char* out;
  };
  for (const Case& c : {
           Case{R"({"Env":["z"],"Labels":{"z":"z"}})",
                R"({"Env":["a","b","c","z"],"Labels":{"k":"1","l":"2","z":"z"}})"},
           Case{R"({"Env":[],"Labels":{}})", R"({"Env":["a","b","c"],"Labels":{"k":"1","l":"2"}})"},
           Case{R"({"Env":null,"Labels":null})",
                R"({"Env":["a","b","c"],"Labels":{"k":"1","l":"2"}})"},
           Case{R"({"Image":"x"})",
                R"({"Env":["a","b","c"],"Labels":{"k":"1","l":"2"},"Image":"x"})"},
           Case{"{}", R"({"Env":["a","b","c"],"Labels":{"k":"1","l":"2"}})"},
           Case{"null", "null"},
       }) {
    CAPTURE(c.in);
    const Findings found = scan(c.in);
    const bool possible = found.environment.state != EntryList::State::nowhere;
    RequestEdits edits;
    RequestEdits more;
    CHECK(edits.add(found.environment, "a") == possible);
    CHECK(more.add(found.environment, "b") == possible);
    CHECK(more.add(found.environment, "c") == possible);
    CHECK(more.add(found.labels, "k", "1") == possible);
    edits.add(std::move(more));
    CHECK(edits.add(found.labels, "l", "2") == possible);
    CHECK(edited(c.in, edits) == c.out);
  }
}

TEST_CASE("engine_api/request_edits: texts are quoted as JSON has it") {
  const std::string body = R"({"Env":[],"Labels":{}})";
  const Findings found = scan(body);
  RequestEdits edits;
  edits.add(found.environment, "A=\"\\\n\xff");
  edits.add(found.labels, "\"", "\xe2\x82\xac");
  CHECK(edited(body, edits) ==
        "{\"Env\":[\"A=\\\"\\\\\\n\xef\xbf\xbd\"],\"Labels\":{\"\\\"\":\"\xe2\x82\xac\"}}");
}

TEST_CASE("engine_api/request_edits: in order, whatever the order that they came in") {
  RequestEdits edits;
  edits.change_body({6, 8, "Y"});
  edits.change_body({2, 2, "inserted"});
  RequestEdits other;
  other.change_body({2, 4, "X"});  // what is inserted there stands before it
  other.change_body({8, 8, "end"});
  other.change_target({0, 1, "T"});
  edits.add(std::move(other));
  CHECK(edited("0123456789", edits) == "01insertedX45Yend89");
  CHECK(engine_api::edited("abc", *edits.of_target()) == "Tbc");
  CHECK(edited("as it is", RequestEdits{}) == "as it is");
}

TEST_CASE("engine_api/request_edits: two that want the same bytes are an error") {
  for (const auto& [begin, end] : {std::pair{2U, 4U}, std::pair{3U, 5U}, std::pair{1U, 3U},
                                   std::pair{3U, 3U}, std::pair{0U, 9U}}) {
    RequestEdits edits;
    edits.change_body({2, 4, "X"});
    CHECK(edits.of_body().ok());
    edits.change_body({begin, end, "Y"});
    CHECK_FALSE(edits.of_body().ok());
  }
  RequestEdits edits;
  edits.change_target({2, 4, "X"});
  edits.change_target({2, 4, "X"});
  CHECK_FALSE(edits.of_target().ok());
  CHECK(edits.of_body().ok());
}

TEST_CASE("engine_api/path_edits: one engine path for each source, the target's first") {
  Findings found =
      scan(R"({"HostConfig":{"Binds":["/a:/x","vol:/y","/b:/z:ro"]}})", {.paths = true});
  found.filters = *engine_api::scan_filters(R"(/containers/json?filters={"volume":["/f"]})");
  CHECK(engine_api::sources(found) == std::vector<std::string>{"/f", "/a", "vol", "/b"});
  const auto edits = engine_api::path_edits(found, {"/mf", "/ma", "vol", "/b"});
  REQUIRE(edits.ok());
  CHECK(edits->of_target()->size() == 1);
  REQUIRE(edits->of_body()->size() == 1);  // what is the same keeps its bytes
  CHECK(edits->of_body()->at(0).text == R"("/ma:/x")");
  CHECK_FALSE(engine_api::path_edits(found, {"/mf", "/ma", "vol"}).ok());
  CHECK_FALSE(engine_api::path_edits(found, {"/mf", "/ma", "vol", "/b", "/c"}).ok());
  CHECK_FALSE(engine_api::path_edits(found, {"/mf", "/m:a", "vol", "/b"}).ok());
}

TEST_CASE("engine_api/request_scanner: an entry that is too long isn't told, its list is filled") {
  const std::string value(RequestScanner::kLongestValue + 1, 'x');
  for (const std::string& body :
       {R"({"Env":[")" + value + R"("],"Labels":{"k":")" + value + "\"}}",
        R"({"Env":[")" + value + R"("],"Labels":{")" + value + "\":\"v\"}}"}) {
    const Findings found = scan(body);
    CHECK(found.environment.state == EntryList::State::filled);
    CHECK(found.environment.entries.empty());
    CHECK(found.labels.state == EntryList::State::filled);
    CHECK(found.labels.entries.empty());
  }
}

TEST_CASE("engine_api/request_scanner: what lists may hold is bounded") {
  const auto of = [](std::size_t count, std::string_view entry) {
    std::string body = R"({"Env":[)";
    for (std::size_t i = 0; i < count; ++i) body.append(i == 0 ? "" : ",").append(entry);
    return body + "]}";
  };
  CHECK(scan(of(4096, "\"x\"")).environment.entries.size() == 4096);
  CHECK(refusal(of(4097, "\"x\"")) == "cannot read this request: more than 4096 entries of Env");
  const std::string long_entry = '"' + std::string(4096, 'x') + '"';
  CHECK(refusal(of(1024, long_entry)) == "");
  CHECK(refusal(of(1025, long_entry)) == "cannot read this request: more than 4 MiB of Env");
  // Nobody wants it: it's dockerd's to judge.
  CHECK(scan(of(5000, "\"x\""), {.paths = true}).environment.entries.empty());
}

TEST_CASE("engine_api/request_scanner: without paths wanted, their places are dockerd's to judge") {
  const Findings found = scan(R"({"HostConfig":{"Binds":7,"binds":[],"ExtraHosts":["a:b"]}})");
  CHECK(found.paths.empty());
  CHECK(found.hosts.entries.size() == 1);
  CHECK(scan(R"({"HostConfig":{"Binds":["/a:/a"]}})").paths.empty());
  // Not even that there is one HostConfig only matters then.
  CHECK(refusal(R"({"HostConfig":1,"HostConfig":[]})", {.environment = true}) == "");
}
