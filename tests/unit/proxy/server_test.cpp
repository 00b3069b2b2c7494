// Limits over all sessions, draining, the gate.
#include "fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

TEST_CASE("proxy/engine_gate: tells changes, and each new ready, to who listens") {
  EngineGate gate("/x");
  CHECK(gate.state() == EngineGate::State::starting);
  int told = 0;
  const auto id = gate.subscribe([&] { ++told; });
  gate.set(EngineGate::State::starting, "dockerd waits for containerd");
  CHECK(told == 0);
  CHECK(describe(gate) == "the Docker engine is starting: dockerd waits for containerd");
  gate.set(EngineGate::State::ready, "");
  gate.set(EngineGate::State::ready, "");
  CHECK(told == 2);
  gate.unsubscribe(id);
  gate.set(EngineGate::State::down, "stopped");
  CHECK(told == 2);
  CHECK(describe(gate) == "the Docker engine is down: stopped");
}

TEST_CASE("proxy/engine_gate: every event in every state") {
  using State = EngineGate::State;
  using Admission = EngineGate::Admission;
  constexpr std::array kStates = {State::starting, State::ready, State::down, State::asleep};
  struct Row {
    State state;
    Admission first;  // of a request that comes now
    int woken;        // by two requests
  };
  const std::array<Row, 4> rows = {{{State::starting, Admission::wait, 0},
                                    {State::ready, Admission::go_on, 0},
                                    {State::down, Admission::refuse, 0},
                                    {State::asleep, Admission::wait, 1}}};
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.state));
    // Starting is also the first state; the others are reached from another one.
    const auto in_state = [&](EngineGate& gate) {
      gate.set(row.state == State::down ? State::ready : State::down, "before");
      gate.set(row.state, "now");
    };
    EngineGate gate("/x");
    int told = 0;
    int woken = 0;
    gate.on_wake([&] { ++woken; });
    in_state(gate);
    gate.subscribe([&] { ++told; });
    CHECK(gate.admit() == row.first);
    CHECK(gate.admit() == row.first);
    CHECK(woken == row.woken);
    CHECK(gate.state() == row.state);  // a request alone changes nothing
    CHECK(told == 0);
    for (const State next : kStates) {
      CAPTURE(static_cast<int>(next));
      EngineGate other("/x");
      int changes = 0;
      int wakes = 0;
      other.on_wake([&] { ++wakes; });
      in_state(other);
      other.subscribe([&] { ++changes; });
      static_cast<void>(other.admit());  // so that it is awake already, if it was asleep
      wakes = 0;
      other.set(next, "then");
      CHECK(other.state() == next);
      CHECK(other.reason() == "then");
      CHECK(changes == (next != row.state || next == State::ready ? 1 : 0));
      CHECK(wakes == 0);  // nobody asks
      static_cast<void>(other.admit());
      // Anew for each sleep, and not again while it lasts.
      CHECK(wakes == (next == State::asleep && row.state != State::asleep ? 1 : 0));
    }
  }
}

TEST_CASE("proxy/engine_gate: what the wake-up changes at once counts for the request that woke") {
  using State = EngineGate::State;
  for (const auto& [state, expected] : {std::pair{State::starting, EngineGate::Admission::wait},
                                        std::pair{State::ready, EngineGate::Admission::go_on},
                                        std::pair{State::down, EngineGate::Admission::refuse}}) {
    EngineGate gate("/x");
    gate.on_wake([&gate, next = state] { gate.set(next, "woken"); });
    gate.set(State::asleep, "idle for an hour");
    CHECK(describe(gate) == "the Docker engine is asleep: idle for an hour");
    CHECK(gate.admit() == expected);
  }
  EngineGate alone("/x");  // nobody to wake anything
  alone.set(State::asleep, "");
  CHECK(alone.admit() == EngineGate::Admission::wait);
}

TEST_CASE("proxy/proxy_server: beyond the limit clients wait in the backlog") {
  Limits limits;
  limits.sessions = 2;
  Fixture f(limits);
  Peer a = f.client();
  Peer b = f.client();
  Peer c = f.client();
  c.send(kPing);
  f.settle();
  CHECK(f.server.counters().sessions == 2);
  CHECK_FALSE(f.accept().open());
  a.close();
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == kPing);
  CHECK(f.server.counters().accepted == 3);
}

TEST_CASE("proxy/proxy_server: at the limit the longest idle client makes room") {
  Limits limits;
  limits.sessions = 2;
  limits.linger_ms = 5;
  limits.head_ms = 5;
  Fixture f(limits);
  Peer busy = f.client();
  busy.send(kPing);
  Peer engine = f.accept();
  CHECK(f.at(engine) == kPing);
  Peer idle = f.client();
  Peer third = f.client();
  third.send(kPing);
  Peer next;
  f.wait_until([&] { return next = f.accept(), next.open(); });
  CHECK(f.at(next) == kPing);
  f.at(idle);
  CHECK(idle.eof);
  f.at(busy);
  CHECK_FALSE(busy.eof);
}

TEST_CASE("proxy/proxy_server: streams count towards the limit") {
  Limits limits;
  limits.sessions = 1;
  Fixture f(limits);
  Peer stream = f.client();
  stream.send("POST /session HTTP/1.1\r\nHost: d\r\n\r\n");
  Peer engine = f.accept();
  f.at(engine);
  engine.send("HTTP/1.1 200 OK\r\n\r\n");
  f.at(stream);
  Peer second = f.client();
  second.send(kPing);
  CHECK_FALSE(f.accept().open());
  stream.close();
  CHECK(f.accept().open());
}

TEST_CASE("proxy/proxy_server: draining closes idle clients and lets the others finish") {
  Fixture f;
  Peer idle = f.client();
  Peer busy = f.client();
  busy.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  bool drained = false;
  f.server.drain(60'000, [&] { drained = true; });
  f.at(idle);
  CHECK(idle.eof);
  idle.close();
  CHECK_FALSE(drained);
  engine.send(kPong);
  CHECK(f.at(busy) == kPong);
  CHECK(busy.eof);
  busy.close();
  Peer late = f.client();
  late.send(kPing);
  f.settle();
  CHECK(drained);
  CHECK_FALSE(f.accept().open());  // waits in the backlog for the next agent
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/proxy_server: draining ends at its limit") {
  Fixture f;
  Peer busy = f.client();
  busy.send(kPing);
  Peer engine = f.accept();
  bool drained = false;
  f.server.drain(10, [&] { drained = true; });
  f.wait_until([&] { return drained; });
  CHECK(drained);
  f.at(busy);
  CHECK(busy.eof);
}

TEST_CASE("proxy/proxy_server: destroyed in the middle of everything") {
  Fixture f({}, true);
  auto server = std::make_unique<ProxyServer>(f.loop, f.gate, Limits{});
  auto listening = io::listen_unix(f.path + "/second.sock", 0600);
  REQUIRE(listening.ok());
  server->listen(std::move(*listening), paths::Identity{paths::Identity::Kind::distro, "Ubuntu"});
  const auto connect = [&] {
    auto fd = io::connect_unix(f.path + "/second.sock");
    REQUIRE(fd.ok());
    return Peer{std::move(*fd), {}, false, false};
  };
  Peer idle = connect();
  Peer busy = connect();
  Peer stream = connect();
  Peer ending = connect();
  f.settle();
  busy.send(kPing);
  Peer engine = f.accept();
  stream.send("POST /session HTTP/1.1\r\nHost: d\r\n\r\n");
  Peer raw = f.accept();
  f.at(raw);
  raw.send("HTTP/1.1 200 OK\r\n\r\n");
  f.settle();
  CHECK(server->counters().streams == 1);
  ending.close();
  server.reset();
  f.settle();
  f.at(busy);
  CHECK(busy.eof);
  f.at(raw);
  CHECK(raw.eof);
}

TEST_CASE("proxy/proxy_server: an engine connection is kept for the next client, if it is clean") {
  Fixture f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  client.close();
  f.settle();
  Peer second = f.client();
  second.send(kPing);
  CHECK_FALSE(f.accept().open());
  CHECK(f.at(engine) == kPing);
  // Within an exchange it is not clean.
  second.close();
  f.at(engine);
  CHECK(engine.eof);
  Peer third = f.client();
  third.send(kPing);
  CHECK(f.accept().open());
}

TEST_CASE("proxy/proxy_server: a kept engine connection that shows life is dropped") {
  for (const char* what : {"end", "bytes", "gate"}) {
    CAPTURE(what);
    Fixture f;
    Peer client = f.client();
    client.send(kPing);
    Peer engine = f.accept();
    f.at(engine);
    engine.send(kPong);
    f.at(client);
    client.close();
    f.settle();
    if (what == std::string_view("end")) engine.close();
    if (what == std::string_view("bytes")) engine.send("HTTP/1.1 200 OK\r\n\r\n");
    if (what == std::string_view("gate")) f.gate.set(EngineGate::State::ready, "");
    f.settle();
    const std::string post = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\n\r\nx";
    Peer second = f.client();
    second.send(post);
    Peer next = f.accept();
    REQUIRE(next.open());
    CHECK(f.at(next) == post);
    if (engine.open()) {
      CHECK(f.at(engine).empty());
      CHECK(engine.eof);
    }
  }
}
