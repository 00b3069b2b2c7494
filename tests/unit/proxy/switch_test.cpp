// Upgrades and hijacks.
#include "fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

struct Case {
  const char* name;
  std::string request;
  std::string response;
};

const std::vector<Case> kSwitches = {
    {"exec, 101",
     "POST /v1.41/exec/e/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
     "Content-Length: 2\r\n\r\n{}",
     "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"},
    {"attach, 200 without length", "POST /containers/c/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"},
    {"attach, escaped", "POST /containers/c/%61ttach HTTP/1.1\r\nHost: d\r\n\r\n",
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"session, h2c",
     "POST /session HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"},
    {"websocket",
     "GET /containers/c/attach/ws HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\n\r\n",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {"an upgrade on an unknown call",
     "POST /future HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"},
};

}  // namespace

TEST_CASE("proxy/session: a switch keeps the bytes behind either head") {
  for (const Case& c : kSwitches) {
    CAPTURE(c.name);
    Fixture f;
    Peer client = f.client();
    client.send(c.request + "early client");
    Peer engine = f.accept();
    CHECK(f.at(engine) == c.request);
    engine.send(c.response + "early engine");
    CHECK(f.at(client) == c.response + "early engine");
    CHECK(f.at(engine) == "early client");
    CHECK(f.server.counters().streams == 1);
    CHECK(f.server.counters().sessions == 0);
    CHECK(f.server.counters().upgraded == 1);
    client.send("GET / HTTP/1.1\r\n\r\n");  // not HTTP any more
    CHECK(f.at(engine) == "GET / HTTP/1.1\r\n\r\n");
    engine.send("x");
    CHECK(f.at(client) == "x");
    // Half-close, then the other way.
    client.finish();
    f.at(engine);
    CHECK(engine.eof);
    engine.send("result");
    CHECK(f.at(client) == "result");
    CHECK_FALSE(client.eof);
    engine.close();
    f.at(client);
    CHECK(client.eof);
    CHECK(f.server.counters().streams == 0);
  }
}

TEST_CASE("proxy/session: input and its end sent ahead of the switch arrive behind it") {
  Fixture f;
  Peer client = f.client();
  client.send(kSwitches[0].request + "input");
  client.finish();
  Peer engine = f.accept();
  CHECK(f.at(engine) == kSwitches[0].request);
  CHECK_FALSE(engine.eof);
  engine.send(kSwitches[0].response);
  CHECK(f.at(engine) == "input");
  CHECK(engine.eof);
  engine.send("output");
  engine.close();
  CHECK(f.at(client) == kSwitches[0].response + "output");
  CHECK(client.eof);
}

TEST_CASE("proxy/session: a hijackable call that is answered plainly stays HTTP") {
  const std::string refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
  Fixture f;
  Peer client = f.client();
  client.send(kSwitches[0].request + kPing);
  Peer engine = f.accept();
  CHECK(f.at(engine) == kSwitches[0].request);
  engine.send(refusal);
  CHECK(f.at(client) == refusal);
  CHECK(f.at(engine) == kPing);
  CHECK(f.server.counters().streams == 0);
}

TEST_CASE("proxy/session: a 101 nobody asked for is not followed") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
  CHECK(f.at(client).starts_with("HTTP/1.1 502 "));
  CHECK(f.server.counters().streams == 0);
}

TEST_CASE("proxy/session: a 200 without length on another call is a body, not a switch") {
  Fixture f;
  Peer client = f.client();
  client.send("GET /containers/c/logs HTTP/1.1\r\nHost: d\r\n\r\n" + kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\n\r\nlog");
  CHECK(f.at(client) == "HTTP/1.1 200 OK\r\n\r\nlog");
  CHECK(f.at(engine).empty());
  CHECK(f.server.counters().streams == 0);
}

TEST_CASE("proxy/session: a client that leaves a raw stream ends the engine's side") {
  Fixture f;
  Peer client = f.client();
  client.send(kSwitches[1].request);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kSwitches[1].response);
  f.at(client);
  client.close();
  f.at(engine);
  CHECK(engine.eof);
  CHECK(engine.send("x") == 0);
  CHECK(f.server.counters().streams == 0);
}

TEST_CASE("proxy/session: much output behind the head of a switch, to a slow client") {
  Fixture f;
  Peer client = f.client();
  client.send(kSwitches[1].request);
  Peer engine = f.accept();
  f.at(engine);
  std::string output = kSwitches[1].response;
  for (int i = 0; i < 100000; ++i) output += std::to_string(i);
  std::size_t sent = 0;
  for (int i = 0; i < 5000 && client.got.size() < output.size(); ++i) {
    if (sent < output.size()) sent += engine.send(std::string_view(output).substr(sent));
    f.loop.turn();
    if (i > 20) client.receive(3000);
  }
  CHECK(client.got == output);
}
