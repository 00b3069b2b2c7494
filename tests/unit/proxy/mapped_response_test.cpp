// Answers with paths: given back in the client's terms, whatever their form.
#include "answer.h"
#include "mapped_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

const std::string kInspect = "GET /containers/a/json HTTP/1.1\r\nHost: d\r\n\r\n";
const std::string kSeen = R"({"Id":"a", "N":1e3,"Mounts":[{"Source":"/mnt/distro/Ubuntu/w"}]})";
const std::string kGiven = R"({"Id":"a", "N":1e3,"Mounts":[{"Source":"/w"}]})";

std::string with_length(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Read {
  std::string head;
  std::string body;
  bool complete = false;
  bool keep_alive = false;
};

Read read(std::string_view bytes, bool ended = false) {
  http::Parser parser(http::Kind::response);
  Read read;
  while (!bytes.empty() && !parser.complete()) {
    const auto taken = parser.feed(bytes);
    REQUIRE(taken.ok());
    read.body += parser.body();
    bytes.remove_prefix(*taken);
  }
  if (ended) static_cast<void>(parser.finish());
  CHECK(bytes.empty());
  read.head = parser.head().raw;
  read.complete = parser.complete();
  read.keep_alive = parser.keep_alive();
  return read;
}

}  // namespace

TEST_CASE("proxy/session: paths of an answer are the client's, whatever its framing and pieces") {
  const std::string head = "HTTP/1.1 200 OK\r\nA: b\r\n";
  struct Case {
    const char* name;
    std::string answer;
    bool closes;
  };
  const std::vector<Case> cases = {
      {"with a length", with_length(head, kSeen), false},
      {"in chunks",
       head + "Transfer-Encoding: chunked\r\n\r\n10\r\n" + kSeen.substr(0, 16) + "\r\n30;x\r\n" +
           kSeen.substr(16) + "\r\n0\r\nT: x\r\n\r\n",
       false},
      {"until close", head + "\r\n" + kSeen, true},
  };
  REQUIRE(kSeen.size() == 64);
  const std::string new_head = "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const Case& c : cases) {
    for (std::size_t split = 0; split < c.answer.size(); split += 7) {
      CAPTURE(c.name);
      CAPTURE(split);
      MappedFixture m;
      Fixture& f = m.f;
      Peer client = f.client();
      client.send(kInspect);
      Peer engine = f.accept();
      CHECK(f.at(engine) == kInspect);
      if (split == 0) {
        for (const char byte : c.answer) {
          engine.send(std::string(1, byte));
          f.loop.turn();
        }
      } else {
        engine.send(c.answer.substr(0, split));
        f.settle();
        engine.send(c.answer.substr(split));
      }
      if (c.closes) {
        f.settle();
        engine.close();
      }
      const Read got = read(f.at(client));
      CHECK(got.head == new_head);
      CHECK(got.body == kGiven);
      CHECK(got.complete);
      CHECK(client.eof == c.closes);
      if (!c.closes) {
        client.send(kPing);
        CHECK(f.at(engine) == kPing);
      }
    }
  }
}

TEST_CASE("proxy/session: a client of HTTP/1.0 gets its paths until close") {
  for (const bool keep : {false, true}) {
    MappedFixture m;
    Fixture& f = m.f;
    Peer client = f.client();
    const std::string request = std::string("GET /containers/a/json HTTP/1.0\r\n") +
                                (keep ? "Connection: keep-alive\r\n" : "") + "\r\n";
    client.send(request);
    Peer engine = f.accept();
    CHECK(f.at(engine) == request);
    engine.send(with_length(
        std::string("HTTP/1.0 200 OK\r\n") + (keep ? "Connection: keep-alive\r\n" : ""), kSeen));
    CHECK(f.at(client) == "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + kGiven);
    CHECK(client.eof);
    client.close();
    f.settle();
    CHECK(f.server.counters().sessions == 0);
  }
}

TEST_CASE("proxy/session: answers without a body stay as they are") {
  struct Case {
    std::string request;
    std::string answer;
  };
  for (const Case& c : {
           Case{"HEAD /containers/a/json HTTP/1.1\r\nHost: d\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"},
           Case{"HEAD /containers/a/json HTTP/1.1\r\nHost: d\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
           Case{kInspect, "HTTP/1.1 204 No Content\r\n\r\n"},
           Case{kInspect, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
           Case{kInspect, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
       }) {
    CAPTURE(c.answer);
    MappedFixture m;
    Fixture& f = m.f;
    Peer client = f.client();
    client.send(c.request);
    Peer engine = f.accept();
    CHECK(f.at(engine) == c.request);
    engine.send(c.answer);
    CHECK(f.at(client) == c.answer);
    client.send(kPing);
    CHECK(f.at(engine) == kPing);
  }
}

TEST_CASE("proxy/session: interim answers pass in front of one with paths") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  engine.send(hints + with_length("HTTP/1.1 200 OK\r\n", kSeen));
  const std::string got = f.at(client);
  REQUIRE(got.starts_with(hints));
  CHECK(read(std::string_view(got).substr(hints.size())).body == kGiven);
}

TEST_CASE("proxy/session: an error's text names the client's path") {
  const std::string error =
      R"({"message":"bind source path does not exist: /mnt/distro/Ubuntu/w"})";
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  f.settle();
  m.paths.answer();
  Peer engine = f.accept();
  f.at(engine);
  engine.send(with_length("HTTP/1.1 400 Bad Request\r\n", error + "\n"));
  const Answer answer = parse(f.at(client));
  CHECK(answer.status == 400);
  CHECK(answer.message == "bind source path does not exist: /w");
  // A start that is not the engine identity's.
  client.send("POST /containers/a/start HTTP/1.1\r\nHost: d\r\n\r\n");
  f.settle();
  m.paths.answer();
  f.at(engine);
  engine.send(with_length("HTTP/1.1 500 Internal Server Error\r\n", error));
  CHECK(parse(f.at(client)).message == "bind source path does not exist: /w");
}

TEST_CASE("proxy/session: for the engine's own identity answers are as they are") {
  MappedFixture m({}, true, paths::Identity{});
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(with_length("HTTP/1.1 200 OK\r\n", kSeen));
  CHECK(f.at(client) == with_length("HTTP/1.1 200 OK\r\n", kSeen));
}

TEST_CASE("proxy/session: an encoded answer is not ours to read") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(with_length("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", kSeen));
  const Read got = read(f.at(client));
  CHECK(got.complete);
  CHECK(got.body == kSeen);
}

TEST_CASE("proxy/session: an answer with paths that breaks off, breaks off") {
  for (const bool chunked : {false, true}) {
    MappedFixture m;
    Fixture& f = m.f;
    Peer client = f.client();
    client.send(kInspect);
    Peer engine = f.accept();
    f.at(engine);
    engine.send(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + kSeen
                        : "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + kSeen);
    f.settle();
    engine.close();
    const Read got = read(f.at(client));
    CHECK_FALSE(got.complete);
    CHECK(got.body == kGiven);
    CHECK(client.eof);
    CHECK(f.server.counters().unavailable == 0);
  }
}

TEST_CASE("proxy/session: a malformed answer with paths: 502, or an end when it has begun") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
  CHECK(parse(f.at(client)).status == 502);
  client.send(kInspect);
  engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n");
  const Read got = read(f.at(client));
  CHECK_FALSE(got.complete);
  CHECK(client.eof);
}

TEST_CASE("proxy/session: a call with paths is not switched to a raw stream") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(
      "GET /containers/a/json HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nraw");
  CHECK(parse(f.at(client)).status == 502);
  CHECK(f.server.counters().streams == 0);
  f.at(engine);
  CHECK(engine.eof);
}

TEST_CASE("proxy/session: more than one answer to a request with paths ends the connection") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(with_length("HTTP/1.1 200 OK\r\n", kSeen) + kPong);
  CHECK(read(f.at(client)).body == kGiven);
  client.send(kPing);
  Peer next = f.accept();
  CHECK(f.at(next) == kPing);
}

TEST_CASE("proxy/session: a slow client holds back a long answer with paths") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send("GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n");
  Peer engine = f.accept();
  f.at(engine);
  std::string list = "[";
  for (int i = 0; i < 60'000; ++i) list += kSeen + ",";
  list += "{}]";
  std::string expected = "[";
  for (int i = 0; i < 60'000; ++i) expected += kGiven + ",";
  expected += "{}]";
  const std::string answer = with_length("HTTP/1.1 200 OK\r\n", list);
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    sent += engine.send(std::string_view(answer).substr(sent, 32768));
    f.settle();
  }
  CHECK(sent < 1'200'000);  // two kernel buffers and our bound
  for (int i = 0; i < 20'000 && client.got.size() < expected.size() + 100; ++i) {
    if (sent < answer.size()) sent += engine.send(std::string_view(answer).substr(sent, 50'001));
    f.loop.turn();
    client.receive(77'777);
  }
  f.settle();
  client.receive();
  const Read got = read(client.take());
  CHECK(got.complete);
  CHECK((got.body == expected));
  client.send(kPing);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: a client that leaves within an answer with paths cancels the engine") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kInspect);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + kSeen);
  f.at(client);
  client.close();
  f.at(engine);
  CHECK(engine.eof);
  CHECK(f.server.counters().sessions == 0);
}
