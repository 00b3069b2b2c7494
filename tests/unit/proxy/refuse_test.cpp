// What is refused, and what happens when one side goes away.
#include "answer.h"
#include "fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

TEST_CASE("proxy/session: a bad head gets 400 and a close, the engine sees nothing") {
  const std::vector<std::string> bad = {
      "GET /x HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET /x HTTP/1.1\nHost: d\n\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("GET /x HTTP/1.1\r\nHost: d\0\r\n\r\n", 29),
      // This endpoint serves paths only.
      "CONNECT d:1 HTTP/1.1\r\nHost: d\r\n\r\n",
      "GET http://d/_ping HTTP/1.1\r\nHost: d\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: d\r\n\r\n",
  };
  for (const std::string& input : bad) {
    CAPTURE(input.substr(0, 60));
    Fixture f;
    Peer client = f.client();
    for (std::size_t at = 0; at < input.size();) {
      const std::size_t n = client.send(std::string_view(input).substr(at));
      at += n;
      f.settle();
      if (n == 0) break;
    }
    const Answer answer = parse(f.at(client));
    CHECK(answer.status == 400);
    CHECK_FALSE(answer.keep_alive);
    CHECK_FALSE(answer.message.empty());
    CHECK(client.eof);
    CHECK_FALSE(f.accept().open());
    CHECK(f.server.counters().refused == 1);
    // What follows is not read as another request.
    client.send(kPing);
    CHECK(f.at(client).empty());
    CHECK_FALSE(f.accept().open());
  }
}

TEST_CASE("proxy/session: a bad request behind a good one: the good one is served first") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing + "nonsense\r\n\r\n");
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  const std::string got = f.at(client);
  REQUIRE(got.starts_with(kPong));
  CHECK(parse(std::string_view(got).substr(kPong.size())).status == 400);
  CHECK(client.eof);
  CHECK(f.at(engine).empty());
}

TEST_CASE("proxy/session: a bad chunk cancels the engine's side") {
  Fixture f;
  Peer client = f.client();
  const std::string head = "POST /x HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
  client.send(head + "3\r\nabc\r\n");
  Peer engine = f.accept();
  CHECK(f.at(engine) == head + "3\r\nabc\r\n");
  client.send("0x3\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(parse(f.at(client)).status == 400);
  CHECK(f.at(engine).empty());
  CHECK(engine.eof);
}

TEST_CASE("proxy/session: a client that leaves cancels the engine's side at once") {
  struct Case {
    const char* name;
    std::string request;
    std::string response;
  };
  const std::vector<Case> cases = {
      {"before the answer", kPing, ""},
      {"within an endless answer", "GET /events HTTP/1.1\r\nHost: d\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"},
      {"within its request", "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nabc", ""},
      {"with bytes for a hijack", "POST /exec/e/start HTTP/1.1\r\nHost: d\r\n\r\nabc", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Fixture f;
    Peer client = f.client();
    client.send(c.request);
    Peer engine = f.accept();
    f.at(engine);
    engine.send(c.response);
    f.at(client);
    client.close();
    f.at(engine);
    CHECK(engine.eof);
    CHECK(engine.send("x") == 0);
    CHECK(f.server.counters().sessions == 0);
  }
}

TEST_CASE("proxy/session: a client that leaves while it is not read is noticed") {
  Fixture f;
  Peer client = f.client();
  client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n");
  Peer engine = f.accept();
  for (int i = 0; i < 100; ++i) {
    client.send(std::string(32768, 'x'));
    f.settle();
  }
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/session: half-close after a request passes, and the answer comes back") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing + kPing);
  client.finish();
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  CHECK_FALSE(engine.eof);  // there is another request to serve
  engine.send(kPong);
  CHECK(f.at(engine) == kPing);
  CHECK(engine.eof);
  engine.send(kPong);
  CHECK(f.at(client) == kPong + kPong);
  CHECK(client.eof);
  f.settle();
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/session: a request that ends too early is the engine's to answer") {
  Fixture f;
  Peer client = f.client();
  client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nabc");
  client.finish();
  Peer engine = f.accept();
  CHECK(f.at(engine).ends_with("abc"));
  CHECK(engine.eof);
  engine.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  CHECK(f.at(client) == "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.eof);
}

TEST_CASE("proxy/session: an idle client, or one within a head, may just leave") {
  for (const char* sent : {"", "GET /"}) {
    Fixture f;
    Peer client = f.client();
    client.send(sent);
    f.settle();
    client.finish();
    f.at(client);
    CHECK(client.eof);
    CHECK(f.server.counters().sessions == 0);
  }
}

TEST_CASE(
    "proxy/session: an engine that dies within a response closes the client, nothing made up") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  engine.close();
  CHECK(f.at(client) == "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  CHECK(client.eof);
}

TEST_CASE("proxy/session: an engine that dies before its answer: 502 naming it") {
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc";
  for (const std::string& request : {kPing, post}) {
    for (const char* part : {"", "HTTP/1.1 2"}) {
      Fixture f;
      Peer client = f.client();
      client.send(request);
      Peer engine = f.accept();
      CHECK(f.at(engine) == request);
      engine.send(part);
      engine.close();
      const Answer answer = parse(f.at(client));
      CHECK(answer.status == 502);
      CHECK(answer.keep_alive);
      client.send(kPing);
      Peer next = f.accept();
      CHECK(f.at(next) == kPing);
    }
  }
}

TEST_CASE("proxy/session: a malformed answer is 502, or a close when it has begun") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
  CHECK(parse(f.at(client)).status == 502);
  client.send(kPing);
  engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  f.at(client);
  engine.send("zz\r\n");
  CHECK(f.at(client).empty());
  CHECK(client.eof);
}

TEST_CASE("proxy/session: an idle engine connection that ended is replaced, for any method") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  // kill -9: first the connection alone, then with the news still unread.
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc";
  engine.close();
  f.settle();
  client.send(post);
  engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == post);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
  client.send(post);
  engine.close();
  engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == post);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
}

TEST_CASE("proxy/session: a reused connection that dies unanswered: GET again, POST 502") {
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc";
  for (const bool get : {true, false}) {
    Fixture f;
    Peer client = f.client();
    client.send(kPing);
    Peer engine = f.accept();
    f.at(engine);
    engine.send(kPong);
    f.at(client);
    client.send(get ? kPing : post);
    CHECK(f.at(engine) == (get ? kPing : post));
    engine.close();
    Peer next = f.accept();
    CHECK(next.open() == get);
    if (get) {
      CHECK(f.at(next) == kPing);
      next.close();  // once only
      CHECK_FALSE(f.accept().open());
    }
    CHECK(parse(f.at(client)).status == 502);
  }
}

TEST_CASE("proxy/session: bytes of the engine that answer nothing end its connection") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!");
  CHECK(f.at(client) == kPong);
  client.send(kPing);
  Peer next = f.accept();
  CHECK(f.at(next) == kPing);
  next.send(kPong);
  CHECK(f.at(client) == kPong);
  next.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  f.settle();
  CHECK(f.at(client).empty());
  client.send(kPing);
  Peer third = f.accept();
  CHECK(f.at(third) == kPing);
}

TEST_CASE("proxy/session: requests wait while the engine starts, with their bodies") {
  Fixture f({}, false);
  f.gate.set(EngineGate::State::starting, "dockerd waits for containerd");
  Peer client = f.client();
  const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 6\r\n\r\nabc";
  client.send(post);
  f.settle();
  client.send("def" + kPing);
  f.settle();
  CHECK(f.at(client).empty());
  CHECK_FALSE(f.accept().open());
  CHECK(f.server.counters().waiting == 1);
  f.gate.set(EngineGate::State::ready, "");
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == post + "def");
  CHECK(f.server.counters().waiting == 0);
  engine.send(kPong);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: a waiting client that leaves is forgotten") {
  Fixture f({}, false);
  Peer client = f.client();
  client.send(kPing);
  f.settle();
  CHECK(f.server.counters().waiting == 1);
  client.close();
  f.settle();
  CHECK(f.server.counters().waiting == 0);
  CHECK(f.server.counters().sessions == 0);
  f.gate.set(EngineGate::State::ready, "");
  CHECK_FALSE(f.accept().open());
}

TEST_CASE("proxy/session: while the engine is down: 503 with the reason, the connection stays") {
  Fixture f;
  f.gate.set(EngineGate::State::down, "dockerd exited with status 1");
  Peer client = f.client();
  client.send(kPing + kPing);
  Answer answer = parse(f.at(client));
  CHECK(answer.status == 503);
  CHECK(answer.keep_alive);
  CHECK(answer.message == "the Docker engine is down: dockerd exited with status 1");
  CHECK(parse(answer.rest).status == 503);

  client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 6\r\n\r\nabc");
  CHECK(f.at(client).empty());  // first the rest of its body
  client.send("def");
  answer = parse(f.at(client));
  CHECK(answer.status == 503);
  CHECK(answer.keep_alive);

  client.send("HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
  CHECK(f.at(client).ends_with("\r\n\r\n"));

  f.gate.set(EngineGate::State::ready, "");
  client.send(kPing);
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: while it is down, large or awaited bodies are answered with a close") {
  for (const char* fields :
       {"Content-Length: 100000000\r\n", "Expect: 100-continue\r\nContent-Length: 3\r\n"}) {
    Fixture f;
    f.gate.set(EngineGate::State::down, "stopped");
    Peer client = f.client();
    client.send(std::string("POST /x HTTP/1.1\r\nHost: d\r\n") + fields + "\r\n");
    const Answer answer = parse(f.at(client));
    CHECK(answer.status == 503);
    CHECK_FALSE(answer.keep_alive);
    CHECK(client.eof);
  }
  Fixture f;
  f.gate.set(EngineGate::State::down, "stopped");
  Peer client = f.client();
  client.send("POST /x HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(f.at(client).empty());
  for (int i = 0; i < 17; ++i) {
    client.send("4000\r\n" + std::string(0x4000, 'x') + "\r\n");
    f.settle();
  }
  CHECK(parse(f.at(client)).status == 503);
  CHECK(client.eof);
}

TEST_CASE("proxy/session: waiting requests are told when the start has failed") {
  Fixture f({}, false);
  Peer client = f.client();
  client.send(kPing);
  f.settle();
  f.gate.set(EngineGate::State::down, "gave up after 8 starts");
  const Answer answer = parse(f.at(client));
  CHECK(answer.status == 503);
  CHECK(answer.message.find("gave up after 8 starts") != std::string::npos);
  CHECK(answer.keep_alive);
}

TEST_CASE("proxy/session: requests for an engine that is asleep wake it once, and wait") {
  Fixture f;
  int woken = 0;
  f.gate.on_wake([&] { ++woken; });
  f.gate.set(EngineGate::State::asleep, "");
  Peer first = f.client();
  Peer second = f.client();
  CHECK(woken == 0);  // a connection alone wants nothing of the engine
  first.send(kPing);
  f.settle();
  CHECK(woken == 1);
  second.send(kPing);
  f.settle();
  CHECK(woken == 1);
  CHECK(f.server.counters().waiting == 2);
  CHECK(f.at(first).empty());
  f.gate.set(EngineGate::State::starting, "dockerd is starting");
  f.settle();
  CHECK(f.at(first).empty());
  SUBCASE("it comes") {
    f.gate.set(EngineGate::State::ready, "");
    for (int i = 0; i < 2; ++i) {
      Peer engine = f.accept();
      REQUIRE(engine.open());
      CHECK(f.at(engine) == kPing);
      engine.send(kPong);
      f.settle();
    }
    CHECK(f.at(first) == kPong);
    CHECK(f.at(second) == kPong);
    f.gate.set(EngineGate::State::asleep, "");
    first.send(kPing);
    f.settle();
    CHECK(woken == 2);
  }
  SUBCASE("it fails") {
    f.gate.set(EngineGate::State::down, "gave up");
    CHECK(parse(f.at(first)).status == 503);
    CHECK(parse(f.at(second)).status == 503);
    CHECK(woken == 1);
  }
}

TEST_CASE("proxy/session: an engine that falls asleep under waiting requests is woken by them") {
  Fixture f({}, false);
  Peer first = f.client();
  Peer second = f.client();
  first.send(kPing);
  second.send(kPing);
  f.settle();
  CHECK(f.server.counters().waiting == 2);
  int woken = 0;
  // Tells the sessions from within, while they are being told that it is asleep.
  f.gate.on_wake([&] {
    ++woken;
    f.gate.set(EngineGate::State::ready, "");
  });
  f.gate.set(EngineGate::State::asleep, "");
  CHECK(woken == 1);
  for (int i = 0; i < 2; ++i) {
    Peer engine = f.accept();
    REQUIRE(engine.open());
    CHECK(f.at(engine) == kPing);
    engine.send(kPong);
    f.settle();
  }
  CHECK(f.at(first) == kPong);
  CHECK(f.at(second) == kPong);
  CHECK(f.server.counters().waiting == 0);
}

TEST_CASE("proxy/session: the wait for an engine that nobody wakes is bounded") {
  Limits limits;
  limits.engine_wait_ms = 20;
  Fixture f(limits);
  f.gate.set(EngineGate::State::asleep, "idle for an hour");
  Peer client = f.client();
  client.send(kPing);
  CHECK(f.until([&] { return client.receive(), !client.got.empty(); }));
  const Answer answer = parse(client.take());
  CHECK(answer.status == 503);
  CHECK(answer.message == "the Docker engine is asleep: idle for an hour");
  CHECK(answer.keep_alive);
}

TEST_CASE("proxy/session: too many waiting requests are told at once") {
  Limits limits;
  limits.waiting = 2;
  Fixture f(limits, false);
  std::vector<Peer> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(f.client());
    clients.back().send(kPing);
    f.settle();
  }
  CHECK(parse(f.at(clients[2])).status == 503);
  CHECK(f.at(clients[0]).empty());
  CHECK(f.server.counters().waiting == 2);
}

TEST_CASE("proxy/session: called ready but not there: waits for the news, then for the engine") {
  Fixture f;
  f.engine.reset();  // killed; the gate doesn't know yet
  Peer client = f.client();
  client.send(kPing);
  f.settle();
  CHECK(f.at(client).empty());
  f.gate.set(EngineGate::State::starting, "");
  f.settle();
  CHECK(f.at(client).empty());
  f.start_engine();
  f.gate.set(EngineGate::State::ready, "");
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
}

TEST_CASE("proxy/session: time limits") {
  Limits limits;
  limits.head_ms = 20;
  limits.engine_wait_ms = 20;
  limits.reconnect_ms = 20;
  limits.stall_ms = 20;
  limits.linger_ms = 20;
  limits.idle_ms = 60;
  Fixture f(limits);

  SUBCASE("a head that does not end: 408") {
    Peer client = f.client();
    client.send("GET / HT");
    CHECK(f.until([&] { return client.receive(), client.eof; }));
    CHECK(parse(client.take()).status == 408);
    CHECK_FALSE(f.accept().open());
  }
  SUBCASE("a head in drips: 408, each byte does not prolong it") {
    Peer client = f.client();
    client.send("GET / HTTP/1.1\r\nHost: d\r\nX: ");
    CHECK(f.until([&] { return client.send("x"), client.receive(), client.eof; }));
    CHECK(parse(client.take()).status == 408);
  }
  SUBCASE("a body that stalls: 408, and the engine's side is cancelled") {
    Peer client = f.client();
    client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nabc");
    Peer engine = f.accept();
    CHECK(f.until([&] { return client.receive(), client.eof; }));
    CHECK(parse(client.take()).status == 408);
    f.at(engine);
    CHECK(engine.eof);
  }
  SUBCASE("an answer takes as long as it takes") {
    Peer client = f.client();
    client.send(kPing);
    Peer engine = f.accept();
    Peer idle = f.client();
    CHECK(f.until([&] { return idle.receive(), idle.eof; }));
    engine.send(kPong);
    CHECK(f.at(client) == kPong);
    CHECK_FALSE(client.eof);
  }
  SUBCASE("an idle client is closed, without a word") {
    Peer client = f.client();
    CHECK(f.until([&] { return client.receive(), client.eof; }));
    CHECK(client.eof);
    CHECK(client.got.empty());
  }
  SUBCASE("a start that takes too long: 503 with what it waits for") {
    f.gate.set(EngineGate::State::starting, "dockerd waits for containerd");
    Peer client = f.client();
    client.send(kPing);
    CHECK(f.until([&] { return client.receive(), !client.got.empty(); }));
    const Answer answer = parse(client.take());
    CHECK(answer.status == 503);
    CHECK(answer.message == "the Docker engine is starting: dockerd waits for containerd");
    CHECK(answer.keep_alive);
  }
  SUBCASE("called ready but not there, and no news: 503 with the reason") {
    f.engine.reset();
    Peer client = f.client();
    client.send(kPing);
    CHECK(f.until([&] { return client.receive(), !client.got.empty(); }));
    const Answer answer = parse(client.take());
    CHECK(answer.status == 503);
    CHECK(answer.message.find("engine.sock: Connection refused") != std::string::npos);
  }
  SUBCASE("a refused client that does not close is let go") {
    Peer client = f.client();
    client.send("nonsense\r\n\r\n");
    CHECK(f.until([&] { return f.server.counters().sessions == 0; }));
    CHECK(f.server.counters().sessions == 0);
    CHECK(parse(client.take()).status == 400);
  }
}

TEST_CASE("proxy/session: a client that half-closes and then leaves is noticed") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  client.finish();
  Peer engine = f.accept();
  f.at(engine);
  CHECK(engine.eof);
  CHECK(f.server.counters().sessions == 1);
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
  CHECK(engine.send("x") == 0);
}

TEST_CASE("proxy/session: ready but refusing, it is tried again without any news") {
  Fixture f;
  f.engine.reset();
  Peer client = f.client();
  client.send(kPing);
  f.settle();
  f.start_engine();
  Peer engine;
  CHECK(f.until([&] { return engine = f.accept(), engine.open(); }));
  REQUIRE(engine.open());
  CHECK(f.at(engine) == kPing);
}
