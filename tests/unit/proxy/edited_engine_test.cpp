// Requests with paths while client or engine go, or take their time; and long ones.
#include <fstream>

#include "answer.h"
#include "edited_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

std::size_t resident_bytes() {
  std::size_t size = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("proxy/session: a client that leaves during the mapping is forgotten") {
  EditedFixture m;
  Fixture& f = m.f;
  // With an engine connection that is clean, for the next client.
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  client.send(create(kBody) + "and more");
  f.settle();
  REQUIRE(m.paths.asked.size() == 1);
  client.close();
  f.settle();
  CHECK(f.server.counters().sessions == 0);
  m.paths.answer();
  f.settle();
  CHECK(f.at(engine).empty());
  CHECK_FALSE(engine.eof);
  Peer second = f.client();
  second.send(kPing);
  CHECK(f.at(engine) == kPing);
  CHECK_FALSE(f.accept().open());
}

TEST_CASE("proxy/session: an answer of the editor that comes after the server's end is dropped") {
  FakePaths paths;
  {
    Fixture f({}, true, kUbuntu, {&paths});
    Peer client = f.client();
    client.send(create(kBody));
    f.settle();
  }
  paths.answer();
  CHECK(paths.asked.empty());
}

TEST_CASE("proxy/session: a half-close behind a request with paths, which is answered") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  client.finish();
  f.settle();
  CHECK(f.server.counters().sessions == 1);
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
  CHECK(engine.eof);  // as for any other request
  engine.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
  CHECK(client.eof);
  f.settle();
  CHECK(f.server.counters().sessions == 0);
}

TEST_CASE("proxy/session: an engine that goes during the mapping: the request waits again") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  client.send(create(kBody));
  f.settle();
  engine.close();
  f.engine.reset();
  SUBCASE("with the news") { f.gate.set(EngineGate::State::starting, "killed"); }
  SUBCASE("before the news") {}
  f.settle();
  m.paths.answer();
  f.settle();
  CHECK(f.server.counters().waiting == 1);
  CHECK(f.at(client).empty());
  f.gate.set(EngineGate::State::starting, "killed");
  f.start_engine();
  f.gate.set(EngineGate::State::ready, "");
  Peer next = f.accept();
  REQUIRE(next.open());
  CHECK(f.at(next) == create(kMappedBody));  // nothing is asked a second time
  CHECK(m.paths.asked.empty());
  next.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
}

TEST_CASE("proxy/session: an engine that is given up during the mapping: 503") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  f.settle();
  f.gate.set(EngineGate::State::down, "gave up");
  CHECK(f.at(client).empty());
  m.paths.answer();
  const Answer answer = parse(f.at(client));
  CHECK(answer.status == 503);
  CHECK(answer.keep_alive);
}

TEST_CASE("proxy/session: while the engine isn't ready nothing is collected or asked") {
  EditedFixture m({}, false);
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody, "Expect: 100-continue\r\n"));
  f.settle();
  CHECK(f.at(client).empty());
  CHECK(m.paths.asked.empty());
  CHECK(f.server.counters().waiting == 1);
  f.gate.set(EngineGate::State::ready, "");
  CHECK(f.at(client) == "HTTP/1.1 100 Continue\r\n\r\n");
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
  client.close();
  f.settle();
  f.gate.set(EngineGate::State::down, "stopped");
  Peer second = f.client();
  second.send(create(kBody));
  CHECK(parse(f.at(second)).status == 503);
  CHECK(m.paths.asked.empty());
}

TEST_CASE("proxy/session: a stale engine connection is replaced under a request with paths") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  client.send(create(kBody));
  f.settle();
  engine.close();
  m.paths.answer();  // before the loop has seen the close
  Peer next = f.accept();
  REQUIRE(next.open());
  CHECK(f.at(next) == create(kMappedBody));
  next.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
}

TEST_CASE("proxy/session: an engine that dies over a mapped request: 502, never sent twice") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  f.settle();
  m.paths.answer();
  Peer engine = f.accept();
  f.at(engine);
  engine.close();
  CHECK(parse(f.at(client)).status == 502);
  CHECK_FALSE(f.accept().open());
}

TEST_CASE("proxy/session: a body of 100 MB is collected in a file, mapped, and passed on") {
  const Fixture owner;  // of a directory
  Limits limits;
  limits.body_directory = owner.path;
  EditedFixture m(limits);
  Fixture& f = m.f;
  const std::string begin = R"({"HostConfig":{"Binds":[")";
  std::string block;
  while (block.size() < 100'000) block += R"("A=some variable of an environment","B=\u00fc",)";
  constexpr std::size_t kBlocks = 1000;
  const std::string end = R"("Z"]})";
  const std::size_t size = begin.size() + std::string(R"(/w:/a"]},"Env":[)").size() +
                           kBlocks * block.size() + end.size();
  const auto head = [](std::size_t length) {
    return "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n";
  };

  Peer client = f.client();
  const std::size_t before = resident_bytes();
  const auto send = [&](std::string_view bytes) {
    while (!bytes.empty()) {
      bytes.remove_prefix(client.send(bytes));
      f.loop.turn();
    }
  };
  send(head(size) + begin + R"(/w:/a"]},"Env":[)");
  for (std::size_t i = 0; i < kBlocks; ++i) send(block);
  send(end);
  f.settle();
  REQUIRE(m.paths.asked.size() == 1);
  CHECK(unnamed_files(owner.path) == std::vector<std::uint64_t>{size});
  CHECK_FALSE(f.accept().open());
  m.paths.answer();

  Peer engine = f.accept();
  REQUIRE(engine.open());
  bool same = true;
  const auto expect = [&](std::string_view bytes) {
    while (engine.got.size() < bytes.size() && !engine.eof) {
      engine.receive(bytes.size() - engine.got.size());
      f.loop.turn();
    }
    same = same && std::exchange(engine.got, {}) == bytes;
  };
  // It is read slowly at first: the rest waits in the file.
  f.settle();
  CHECK(f.server.counters().sessions == 1);
  expect(head(size + kShare.size()) + begin + kShare + R"(/w:/a"]},"Env":[)");
  for (std::size_t i = 0; i < kBlocks && same; ++i) expect(block);
  expect(end);
  CHECK(same);
  CHECK(f.at(engine).empty());
#ifndef __SANITIZE_ADDRESS__  // which keeps freed memory
  CHECK(resident_bytes() < before + (std::size_t{8} << 20U));
#else
  static_cast<void>(before);
#endif
  engine.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
  CHECK(unnamed_files(owner.path).empty());
}

TEST_CASE("proxy/session: an early answer to a long body: the client's connection goes on") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  std::string body = R"({"HostConfig":{"Binds":["/w:/a"]},"Env":[")" + std::string(3'000'000, 'x');
  body += "\"]}";
  const std::string request = create(body);
  for (std::size_t at = 0; at < request.size(); f.settle()) {
    at += client.send(std::string_view(request).substr(at));
  }
  m.paths.answer();
  Peer engine = f.accept();
  f.settle();
  engine.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n");
  CHECK(f.at(client).find("400 Bad Request") != std::string::npos);
  CHECK_FALSE(client.eof);
  // The engine's can't: what it would read next is the rest of the body.
  client.send(kPing);
  Peer next = f.accept();
  REQUIRE(next.open());
  CHECK(f.at(next) == kPing);
  f.at(engine);
  CHECK(engine.eof);
}

TEST_CASE("proxy/session: an engine that stops reading a long body and closes: no hang, no loss") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  std::string body = R"({"HostConfig":{"Binds":["/w:/a"]},"Env":[")" + std::string(3'000'000, 'x');
  body += "\"]}";
  const std::string request = create(body);
  for (std::size_t at = 0; at < request.size(); f.settle()) {
    at += client.send(std::string_view(request).substr(at));
  }
  m.paths.answer();
  Peer engine = f.accept();
  f.settle();
  SUBCASE("with an answer") {
    engine.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n");
    engine.close();
    CHECK(f.at(client).find("400 Bad Request") != std::string::npos);
    CHECK(client.eof);
  }
  SUBCASE("without one") {
    engine.close();
    CHECK(parse(f.at(client)).status == 502);
    CHECK_FALSE(client.eof);
  }
}

TEST_CASE("proxy/session: draining lets a mapping end") {
  EditedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  f.settle();
  bool drained = false;
  f.server.drain(60'000, [&] { drained = true; });
  f.settle();
  CHECK_FALSE(drained);
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
  engine.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
  CHECK(client.eof);
  client.close();
  f.settle();
  CHECK(drained);
}
