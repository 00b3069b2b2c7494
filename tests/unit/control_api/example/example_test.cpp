// What a new section needs: a folder of its own and one line of wiring, add_example_calls() below.
#include <doctest/doctest.h>

#include <string>

#include "../../daemon/product_rig.h"
#include "../openapi_document.h"
#include "control_api/progress.h"
#include "example_calls.h"
#include "example_section.h"

extern const char* const kExampleOpenApiFile;

using namespace causeway;
using namespace causeway::control_api::openapi;

namespace {

struct ExampleRig : daemon::ProductRig {
  ExampleRig() { add_example_calls(api, cache); }
  daemon::ExampleCache cache{api.sections};
};

constexpr const char* kEmpty = "Content-Length: 0\r\n";

}  // namespace

TEST_CASE("control_api/example/example_calls: the document has the new calls and the new section") {
  const Json api = load(kExampleOpenApiFile);
  ExampleRig rig;
  CHECK(calls_of(api) == calls_of(rig.api.calls));
  CHECK(sections_of(api) == sections_of(rig.api.sections));
}

TEST_CASE("control_api/example/example_calls: each answer is as documented") {
  const Json api = load(kExampleOpenApiFile);
  ExampleRig rig;
  const std::string clear = "/v1/example/clear";
  const std::string fill = "/v1/example/fill";
  check(api, rig, "get", "/v1/status", "/v1/status", 200);
  check(api, rig, "post", clear, clear, 204);
  check(api, rig, "post", fill, fill + "?bytes=0", 400);
  check(api, rig, "delete", fill, fill, 404);
  check(api, rig, "delete", fill, fill + "?x=1", 400);
  rig.cache.arrived(1);
  check(api, rig, "post", fill, fill, 409);
  rig.cache.clear();
  auto client = rig.connect();
  client.request("POST", fill, kEmpty);
  REQUIRE(client.lines(1));
  check(api, rig, "delete", fill, fill, 204);
  REQUIRE(client.lines(2));
  const Json& schema = api["components"]["schemas"]["Progress"];
  const std::string all = client.body;
  std::size_t from = 0;
  for (auto end = all.find('\n'); end != std::string::npos; end = all.find('\n', from)) {
    const auto line = Json::parse(all.substr(from, end - from));
    REQUIRE(line.ok());
    CHECK(mismatch(api, schema, *line, "") == "");
    from = end + 1;
  }
}

TEST_CASE(
    "control_api/example/example_calls: filled, followed by one client in lines and by another as "
    "a status") {
  ExampleRig rig;
  auto follower = rig.connect();
  follower.request("GET", "/v1/events");
  REQUIRE(follower.lines(1));
  auto client = rig.connect();
  client.request("POST", "/v1/example/fill?bytes=10", kEmpty);
  REQUIRE(client.lines(1));
  rig.cache.arrived(4);
  REQUIRE(client.lines(2));
  rig.cache.arrived(6);
  REQUIRE(client.lines(4));
  CHECK(client.body ==
        R"({"phase":"fill","text":"the cache is being filled","done_bytes":0,"total_bytes":10})"
        "\n"
        R"({"phase":"fill","text":"the cache is being filled","done_bytes":4,"total_bytes":10})"
        "\n"
        R"({"phase":"fill","text":"the cache is being filled","done_bytes":10,"total_bytes":10})"
        "\n"
        R"({"end":"done"})"
        "\n");
  REQUIRE(follower.read_until(
      [&] { return follower.body.find(R"("example":{"cached_bytes":10})") != std::string::npos; }));
  const auto status = Json::parse(rig.api.sections.json());
  REQUIRE(status.ok());
  control_api::ExampleStatus example;
  CHECK(read((*status)["example"], example).ok());
  CHECK(example.cached_bytes == 10);
}

TEST_CASE(
    "control_api/example/example_calls: a reader of the status that doesn't know it isn't "
    "troubled") {
  ExampleRig rig;
  CHECK(control_api::status_from_json(rig.api.sections.json()).ok());
}
