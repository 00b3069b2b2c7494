#include "daemon/log_calls.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "product_rig.h"

using namespace causeway;
using namespace causeway::daemon;

namespace {
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("daemon/log_calls: the last lines of one service and of all") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/logs");
  REQUIRE(client.answer());
  CHECK(client.field("content-type") == "application/x-ndjson");
  CHECK(client.body ==
        "{\"service\":\"containerd\",\"line\":\"first\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"second\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"third\"}\n");
  client.request("GET", "/v1/logs?service=dockerd&tail=1");
  REQUIRE(client.answer());
  CHECK(client.body == "{\"service\":\"dockerd\",\"line\":\"third\"}\n");
  CHECK(!rig.product.last_was_fresh);
  client.request("GET", "/v1/logs?tail=0&fresh=1");
  REQUIRE(client.answer());
  CHECK(client.body.empty());
  CHECK(rig.product.last_was_fresh);
}

TEST_CASE("daemon/log_calls: a follower gets what comes, of its service only") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/logs?service=dockerd&tail=1&follow=1");
  REQUIRE(client.lines(1));
  rig.logs.line("containerd", "not this");
  rig.logs.line("dockerd", "new \xff \x1b");
  REQUIRE(client.lines(2));
  CHECK(client.body ==
        "{\"service\":\"dockerd\",\"line\":\"third\"}\n"
        "{\"service\":\"dockerd\",\"line\":\"new \xef\xbf\xbd \\u001b\"}\n");
  client.close();
  CHECK(rig.until([&] { return rig.server->sessions() == 0; }));
  rig.logs.line("dockerd", "nobody listens");
}

TEST_CASE("daemon/log_calls: a slow follower loses the oldest lines and is told how many") {
  ProductRig::Options options;
  options.follower_bytes = 2000;
  ProductRig rig(options);
  auto client = rig.connect();
  client.request("GET", "/v1/logs?tail=0&follow=1");
  REQUIRE(client.read_until([&] { return client.status() == 200; }));
  // More than the socket's buffers hold, in a row, unread.
  const std::string filler(1000, 'x');
  const int count = 5000;
  for (int i = 0; i < count; ++i) rig.logs.line("dockerd", std::to_string(i) + filler);
  REQUIRE(client.read_until(
      [&] { return has(client.body, "\"" + std::to_string(count - 1) + filler); }));
  long long lines = 0;
  long long dropped = 0;
  std::size_t from = 0;
  for (auto end = client.body.find('\n'); end != std::string::npos;
       from = end + 1, end = client.body.find('\n', from)) {
    const std::string line = client.body.substr(from, end - from);
    if (const auto at = line.find("\"dropped\":"); at != std::string::npos) {
      dropped += std::atoll(line.c_str() + at + 10);
    } else {
      ++lines;
    }
  }
  CHECK(dropped > 0);
  CHECK(lines + dropped == count);
}

TEST_CASE("daemon/log_calls: what is asked for of the past is never dropped") {
  ProductRig::Options options;
  options.follower_bytes = 10;
  ProductRig rig(options);
  rig.product.kept.assign(3000, {"dockerd", std::string(500, 'y')});
  auto client = rig.connect();
  client.request("GET", "/v1/logs?tail=3000");
  REQUIRE(client.answer());
  CHECK(!has(client.body, "dropped"));
  CHECK(client.body.size() > 3000 * 500);
}

TEST_CASE("daemon/log_calls: what isn't there") {
  ProductRig rig;
  auto client = rig.connect();
  client.request("GET", "/v1/logs?service=nothing");
  REQUIRE(client.answer());
  CHECK(client.status() == 404);
  CHECK(has(client.body, "no such service: nothing"));
}
