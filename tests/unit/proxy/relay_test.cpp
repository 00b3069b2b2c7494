// Requests and responses that pass.
#include "fixture.h"
#include "http/parser.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

TEST_CASE("proxy/session: request and response pass to the byte, the connections are kept") {
  Fixture f;
  Peer client = f.client();
  const std::string odd = "GET /_ping?x=%41 HTTP/1.1\r\nhOST:   docker  \r\nX-A: \xc3\xbc\r\n\r\n";
  client.send(odd);
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == odd);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
  for (int i = 0; i < 3; ++i) {
    client.send(kPing);
    CHECK(f.at(engine) == kPing);
    engine.send(kPong);
    CHECK(f.at(client) == kPong);
  }
  CHECK_FALSE(f.accept().open());
  CHECK(f.server.counters().requests == 4);
  CHECK(f.server.counters().sessions == 1);
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/session: a head in pieces reaches the engine when it is complete, in one piece") {
  Fixture f;
  Peer client = f.client();
  for (std::size_t i = 0; i + 1 < kPing.size(); ++i) {
    client.send(kPing.substr(i, 1));
    f.settle();
  }
  CHECK_FALSE(f.accept().open());
  client.send("\n");
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  for (const char c : kPong) {
    engine.send(std::string(1, c));
    f.settle();
  }
  CHECK(f.at(client) == kPong);
}

TEST_CASE("proxy/session: pipelined requests are served one by one, in order") {
  Fixture f;
  Peer client = f.client();
  const std::string post =
      "POST /x HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  client.send(kPing + post + kPing);
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(engine) == post);
  CHECK(f.at(client) == kPong);
  engine.send("HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(client) == "HTTP/1.1 204 No Content\r\n\r\n" + kPong);
}

TEST_CASE("proxy/session: what a client sends ahead is bounded") {
  Limits limits;
  limits.held = 4096;
  Fixture f(limits);
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    sent += client.send(std::string(16384, 'x'));
    f.settle();
  }
  // The kernel's buffer, one read, and no more.
  CHECK(sent < 600000);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: chunked both ways, request and response at the same time") {
  Fixture f;
  Peer client = f.client();
  const std::string head = "POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  client.send(head);
  Peer engine = f.accept();
  CHECK(f.at(engine) == head);
  engine.send(answer);
  CHECK(f.at(client) == answer);
  for (const char* piece : {"3\r\nabc\r\n", "4\r\n", "de", "fg\r\n", "5;ext=1\r\nhijkl\r\n"}) {
    client.send(piece);
    engine.send(piece);
    f.settle();
  }
  CHECK(f.at(engine) == "3\r\nabc\r\n4\r\ndefg\r\n5;ext=1\r\nhijkl\r\n");
  CHECK(f.at(client) == "3\r\nabc\r\n4\r\ndefg\r\n5;ext=1\r\nhijkl\r\n");
  client.send("0\r\nTrailer: x\r\n\r\n");
  engine.send("0\r\n\r\n");
  CHECK(f.at(engine) == "0\r\nTrailer: x\r\n\r\n");
  CHECK(f.at(client) == "0\r\n\r\n");
  client.send(kPing);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: 100-continue and other interim responses pass") {
  Fixture f;
  Peer client = f.client();
  const std::string head =
      "POST /x HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  client.send(head);
  Peer engine = f.accept();
  CHECK(f.at(engine) == head);
  engine.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  CHECK(f.at(client) == "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  CHECK(f.at(engine) == "abc");
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
  client.send(kPing);
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: the answer to HEAD ends with its head") {
  Fixture f;
  Peer client = f.client();
  const std::string head = "HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  for (int i = 0; i < 2; ++i) {
    client.send(head + kPing);
    static Peer engine;
    if (i == 0) engine = f.accept();
    CHECK(f.at(engine) == head);
    engine.send(answer);
    CHECK(f.at(client) == answer);
    CHECK(f.at(engine) == kPing);
    engine.send(kPong);
    CHECK(f.at(client) == kPong);
    if (i == 1) engine.close();
  }
}

TEST_CASE("proxy/session: a response until close ends with the engine's connection") {
  Fixture f;
  Peer client = f.client();
  client.send("GET /x HTTP/1.0\r\n\r\n");
  Peer engine = f.accept();
  CHECK(f.at(engine) == "GET /x HTTP/1.0\r\n\r\n");
  engine.send("HTTP/1.0 200 OK\r\n\r\nabc");
  CHECK(f.at(client) == "HTTP/1.0 200 OK\r\n\r\nabc");
  CHECK_FALSE(client.eof);
  engine.close();
  f.at(client);
  CHECK(client.eof);
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/session: either side's Connection: close closes both, after the response") {
  for (const bool by_client : {true, false}) {
    CAPTURE(by_client);
    Fixture f;
    Peer client = f.client();
    client.send(by_client ? "GET /x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n" : kPing);
    Peer engine = f.accept();
    f.at(engine);
    const std::string answer = by_client ? kPong
                                         : "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                           "Content-Length: 2\r\n\r\nOK";
    engine.send(answer);
    CHECK(f.at(client) == answer);
    CHECK(client.eof);
    f.at(engine);
    CHECK(engine.eof);
  }
}

TEST_CASE("proxy/session: an early answer reaches a client that is still sending") {
  const std::string answer =
      "HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfull";
  for (const bool engine_closes_first : {true, false}) {
    CAPTURE(engine_closes_first);
    Fixture f;
    Peer client = f.client();
    client.send("POST /load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n");
    Peer engine = f.accept();
    // The engine reads a little, answers, and closes with unread bytes.
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    for (int i = 0; i < 100; ++i) {
      client.send(chunk);
      f.settle();
    }
    engine.send(answer);
    if (engine_closes_first) engine.close();
    f.settle();
    // The client goes on sending: no reset, and the answer is there.
    for (int i = 0; i < 100; ++i) {
      client.send(std::string(100, 'x'));
      f.settle();
    }
    CHECK(f.at(client) == answer);
    CHECK(client.eof);
    CHECK_FALSE(client.reset);
    client.close();
    f.settle();
    CHECK(f.server.counters().sessions == 0);
  }
}

TEST_CASE("proxy/session: after an early answer the request may still end well") {
  Fixture f;
  Peer client = f.client();
  client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 6\r\n\r\nabc");
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
  client.send("def" + kPing);
  CHECK(f.at(engine) == "def" + kPing);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
}

TEST_CASE(
    "proxy/session: back-pressure: neither a slow client nor a slow engine makes it hold more") {
  Fixture f;
  Peer client = f.client();
  client.send("POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n");
  Peer engine = f.accept();
  f.at(engine);
  const std::string piece(32768, 'x');
  std::size_t up = 0;
  for (int i = 0; i < 200; ++i) {
    up += client.send(piece);
    f.settle();
  }
  CHECK(up < 1200000);  // two kernel buffers and our bound
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
  std::size_t down = 0;
  for (int i = 0; i < 200; ++i) {
    down += engine.send(piece);
    f.settle();
  }
  CHECK(down < 1200000);
  // Both go on, independently.
  std::size_t engine_got = 0;
  for (int i = 0; i < 100; ++i) engine_got += f.at(engine).size();
  CHECK(engine_got == up);
  client.send("more");
  CHECK(f.at(engine) == "more");
  std::string client_got;
  for (int i = 0; i < 100; ++i) client_got += f.at(client);
  CHECK(client_got.ends_with("xxx"));
  CHECK(client_got.size() ==
        down + std::string("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").size());
}

TEST_CASE("proxy/session: large bodies arrive whole through small reads on both sides") {
  Fixture f;
  Peer client = f.client();
  std::string body(3 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 251);
  std::string up = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body;
  std::string down = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 32768) {
    down += "8000\r\n" + body.substr(at, 32768) + "\r\n";
  }
  down += "0\r\n\r\n";
  std::size_t sent = client.send(up);
  Peer engine = f.accept();
  std::size_t answered = 0;
  for (int i = 0; i < 20000 && (engine.got.size() < up.size() || client.got.size() < down.size());
       ++i) {
    if (sent < up.size()) sent += client.send(std::string_view(up).substr(sent));
    if (answered < down.size())
      answered += engine.send(std::string_view(down).substr(answered, 50001));
    f.loop.turn();
    engine.receive(9999);
    client.receive(7777);
  }
  CHECK(engine.got == up);
  CHECK(client.got == down);
}
