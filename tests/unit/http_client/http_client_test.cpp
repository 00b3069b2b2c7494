#include "http_client/http_client.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "support/loop_fixture.h"
#include "support/scripted_engine.h"

using namespace causeway;
using http_client::HttpClient;
using http_client::Reply;

TEST_CASE("http_client/http_client: gives status and body, each call on its own") {
  test::ScriptedEngine engine;
  engine.answers["GET /one"] = {200, "first"};
  engine.answers["POST /two?t=1"] = {204, ""};
  HttpClient client(engine.loop, engine.socket());
  std::vector<std::string> got;
  const auto note = [&](const Result<Reply>& reply) {
    REQUIRE(reply.ok());
    got.push_back(std::to_string(reply->status) + reply->body);
  };
  client.call("GET", "/one", 1000, note);
  client.call("POST", "/two?t=1", 1000, note);
  CHECK(got.empty());
  engine.settle();
  CHECK(got == std::vector<std::string>{"200first", "204"});
}

TEST_CASE("http_client/http_client: no engine is an error, told later") {
  io::Loop loop;
  HttpClient client(loop, "/nowhere/engine.sock");
  std::string error;
  client.call("GET", "/x", 1000, [&](const auto& reply) { error = reply.error().message; });
  CHECK(error.empty());
  test::settle(loop);
  CHECK(error.find("GET /x") != std::string::npos);
  CHECK(error.find("/nowhere/engine.sock") != std::string::npos);
}

TEST_CASE("http_client/http_client: an engine that doesn't answer in time is an error") {
  test::ScriptedEngine engine;
  engine.silent = true;
  HttpClient client(engine.loop, engine.socket());
  std::optional<Error> error;
  client.call("GET", "/x", 5, [&](const auto& reply) {
    error = reply.error();
    engine.loop.stop();
  });
  engine.loop.run();
  REQUIRE(error);
  CHECK(error->message == "GET /x: no answer in time");
}

TEST_CASE("http_client/http_client: a client that goes drops its calls") {
  test::ScriptedEngine engine;
  bool called = false;
  {
    HttpClient client(engine.loop, engine.socket());
    client.call("GET", "/x", 1000, [&](const auto&) { called = true; });
    HttpClient lost(engine.loop, "/nowhere");
    lost.call("GET", "/x", 1000, [&](const auto&) { called = true; });
  }
  engine.settle();
  CHECK(!called);
}

TEST_CASE("http_client/http_client: lines that come for as long as it is followed") {
  test::ScriptedEngine engine;
  HttpClient client(engine.loop, engine.socket());
  std::vector<std::string> lines;
  std::uint64_t id = 0;
  id = client.follow(
      "/events",
      [&](std::string_view line) {
        lines.emplace_back(line);
        if (line == "three") client.unfollow(id);
      },
      [&](const Error&) { lines.emplace_back("ended"); });
  engine.settle();
  engine.event("one");
  engine.event("two\nthree\nfour");
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("http_client/http_client: a line too long to keep is missed, and the next ones come") {
  test::ScriptedEngine engine;
  HttpClient client(engine.loop, engine.socket());
  std::vector<std::size_t> sizes;
  bool ended = false;
  client.follow(
      "/events", [&](std::string_view line) { sizes.push_back(line.size()); },
      [&](const Error&) { ended = true; });
  engine.settle();
  constexpr std::size_t kMost = HttpClient::kMostLine;
  for (const std::size_t size : {std::size_t{3}, kMost, kMost + 1, std::size_t{5}, 5 * kMost}) {
    engine.event(std::string(size, 'x'));
    REQUIRE(engine.until([&] { return !engine.follower->queued(); }));
  }
  engine.event("last\nline");
  REQUIRE(engine.until([&] { return sizes.size() == 7; }));
  CHECK(sizes == std::vector<std::size_t>{3, kMost, 0, 5, 0, 4, 4});
  CHECK_FALSE(ended);
}

TEST_CASE("http_client/http_client: a stream that isn't there or ends says so once") {
  test::ScriptedEngine engine;
  std::vector<std::string> ends;
  const auto note = [&](const Error& why) { ends.push_back(why.message); };
  HttpClient client(engine.loop, engine.socket());
  client.follow("/nothing", {}, note);
  engine.settle();
  CHECK(ends == std::vector<std::string>{"GET /nothing: status 404"});
  client.follow("/events", {}, note);
  engine.settle();
  engine.follower->shutdown_write();
  engine.settle();
  CHECK(ends.size() == 2);
  HttpClient nobody(engine.loop, "/nowhere");
  nobody.follow("/events", {}, note);
  engine.settle();
  CHECK(ends.size() == 3);
}

TEST_CASE("http_client/http_client: a follower hears of the beginning, once and before any line") {
  test::ScriptedEngine engine;
  HttpClient client(engine.loop, engine.socket());
  std::vector<std::string> told;
  client.follow(
      "/events", [&](std::string_view line) { told.emplace_back(line); },
      [&](const Error& why) { told.push_back(why.message); }, [&] { told.emplace_back("begun"); });
  engine.settle();
  CHECK(told == std::vector<std::string>{"begun"});
  engine.event("one");
  engine.event("two");
  CHECK(told == std::vector<std::string>{"begun", "one", "two"});
  std::uint64_t id = 0;
  id = client.follow(
      "/events", [&](std::string_view) { told.emplace_back("a line"); },
      [&](const Error&) { told.emplace_back("an end"); },
      [&] {
        told.emplace_back("left");
        client.unfollow(id);
      });
  engine.settle();
  engine.event("three");
  CHECK(told == std::vector<std::string>{"begun", "one", "two", "left"});
  engine.events_status = 500;
  client.follow(
      "/events", {}, [&](const Error& why) { told.push_back(why.message); },
      [&] { told.emplace_back("begun again"); });
  engine.settle();
  CHECK(told.back() == "GET /events: status 500");
}

TEST_CASE("http_client/http_client: done may destroy the client, and 0 is no limit in time") {
  test::ScriptedEngine engine;
  engine.answers["GET /one"] = {200, "first"};
  auto client = std::make_unique<HttpClient>(engine.loop, engine.socket());
  std::string body;
  client->call("GET", "/one", 0, [&](const auto& reply) {
    body = reply.ok() ? reply->body : reply.error().message;
    client.reset();
  });
  engine.settle();
  CHECK(body == "first");
  auto lost = std::make_unique<HttpClient>(engine.loop, "/nowhere");
  int code = 0;
  lost->call("GET", "/one", 0, [&](const auto& reply) {
    code = reply.error().code;
    lost.reset();
  });
  engine.settle();
  CHECK(code == ENOENT);
}
