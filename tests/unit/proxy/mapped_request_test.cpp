// Requests with paths: collected, mapped, and sent in their new form.
#include "mapped_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

const std::string kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";

}  // namespace

TEST_CASE("proxy/session: paths are mapped, every other byte of the request stays") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody));
  CHECK_FALSE(f.accept().open());
  REQUIRE(m.paths.asked.size() == 1);
  CHECK(m.paths.asked[0].identity == "Ubuntu");
  CHECK(m.paths.asked[0].call == engine_api::Call::container_create);
  CHECK(m.paths.asked[0].sources == std::vector<std::string>{"/w", "vol"});
  CHECK(f.at(client).empty());
  m.paths.answer();
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == create(kMappedBody));
  engine.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
  // Both connections go on.
  client.send(kPing);
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(client) == kPong);
  client.send(create(kBody));
  f.settle();
  m.paths.answer();
  CHECK(f.at(engine) == create(kMappedBody));
}

TEST_CASE("proxy/session: a request with paths, in any pieces and framings, is the same request") {
  const std::string chunked =
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\n" +
      kBody.substr(0, 5) + "\r\n" + "3e\r\n" + kBody.substr(5, 62) + "\r\n" + "d\r\n" +
      kBody.substr(67) + "\r\n0\r\nTrailer: x\r\n\r\n";
  REQUIRE(kBody.size() == 80);
  const std::string expected =
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 98\r\n\r\n" + kMappedBody;
  const std::string old = "POST /containers/create HTTP/1.0\r\nContent-Length: 80\r\n\r\n" + kBody;
  const std::string old_expected =
      "POST /containers/create HTTP/1.0\r\nContent-Length: 98\r\n\r\n" + kMappedBody;
  struct Case {
    std::string sent;
    std::string expected;
  };
  for (const Case& c : {Case{chunked, expected}, Case{old, old_expected},
                        Case{create(kBody), create(kMappedBody)}}) {
    CAPTURE(c.sent);
    for (std::size_t split = 0; split <= c.sent.size(); split += split == 0 ? 1 : 13) {
      CAPTURE(split);
      MappedFixture m;
      Peer client = m.f.client();
      if (split == 0) {  // byte by byte
        for (const char byte : c.sent) {
          client.send(std::string(1, byte));
          m.f.loop.turn();
        }
      } else {
        client.send(c.sent.substr(0, split));
        m.f.settle();
        client.send(c.sent.substr(split));
      }
      m.f.settle();
      CHECK_FALSE(m.f.accept().open());
      m.paths.answer();
      Peer engine = m.f.accept();
      REQUIRE(m.f.at(engine) == c.expected);
    }
  }
}

TEST_CASE("proxy/session: what has no paths passes unasked") {
  struct Case {
    const char* name;
    std::string request;
  };
  const std::vector<Case> cases = {
      {"no paths in the body", create(R"({"Image":"x","HostConfig":{"Binds":[]}})")},
      {"no body", "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"},
      {"not even a length", "POST /containers/create HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"a service without paths", service(R"({"TaskTemplate":{}})")},
      {"another call", "POST /networks/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}"},
      {"a list without a filter", "GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n"},
      {"an inspection", "GET /containers/a/json HTTP/1.1\r\nHost: d\r\n\r\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    MappedFixture m;
    Peer client = m.f.client();
    client.send(c.request);
    Peer engine = m.f.accept();
    REQUIRE(engine.open());
    CHECK(m.f.at(engine) == c.request);
    CHECK(m.paths.asked.empty());
  }
}

TEST_CASE("proxy/session: for the engine's own identity, or without a service, bytes just pass") {
  for (const bool with_service : {true, false}) {
    FakePaths paths;
    Fixture f({}, true, with_service ? paths::Identity{} : kUbuntu,
              with_service ? &paths : nullptr);
    Peer client = f.client();
    const std::string request = create(kBody, "Expect: 100-continue\r\n");
    client.send(request.substr(0, request.size() - 20));
    Peer engine = f.accept();
    CHECK(f.at(engine) == request.substr(0, request.size() - 20));  // it streams
    client.send(request.substr(request.size() - 20));
    CHECK(f.at(engine) == request.substr(request.size() - 20));
    engine.send(kCreated);
    CHECK(f.at(client) == kCreated);
    CHECK(paths.asked.empty());
  }
}

TEST_CASE("proxy/session: a client that waits for 100 Continue gets it from us") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  const std::string request = create(kBody, "Expect: 100-continue\r\n");
  client.send(request.substr(0, request.size() - kBody.size()));
  CHECK(f.at(client) == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(kBody);
  f.settle();
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
  engine.send(kCreated);
  CHECK(f.at(client) == kCreatedChunked);
}

TEST_CASE("proxy/session: a pipelined request waits behind one that is mapped") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(create(kBody) + kPing);
  f.settle();
  client.send(kPing);
  f.settle();
  CHECK_FALSE(f.accept().open());
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
  engine.send(kCreated);
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(client) == kCreatedChunked + kPong + kPong);
}

TEST_CASE("proxy/session: what a client sends ahead of a mapping is bounded") {
  Limits limits;
  limits.held = 4096;
  MappedFixture m(limits);
  Peer client = m.f.client();
  client.send(create(kBody));
  m.f.settle();
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    sent += client.send(std::string(16384, 'x'));
    m.f.settle();
  }
  CHECK(sent < 600000);
}

TEST_CASE("proxy/session: before a container starts it is checked, for every identity") {
  for (const paths::Identity& identity : {paths::Identity{}, kUbuntu}) {
    for (const std::string& request :
         {kStart,
          std::string("POST /v1.41/containers/abc/restart?t=5 HTTP/1.1\r\nHost: d\r\n"
                      "Content-Length: 0\r\n\r\n"),
          std::string("POST /containers/abc/start HTTP/1.1\r\nHost: d\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")}) {
      CAPTURE(identity.name);
      CAPTURE(request);
      MappedFixture m({}, true, identity);
      Fixture& f = m.f;
      Peer client = f.client();
      client.send(request + kPing);
      CHECK_FALSE(f.accept().open());
      REQUIRE(m.paths.asked.size() == 1);
      CHECK(m.paths.asked[0].container == "abc");
      CHECK(m.paths.asked[0].identity == identity.name);
      m.paths.answer();
      Peer engine = f.accept();
      CHECK(f.at(engine) == request);
      engine.send(kNoContent);
      CHECK(f.at(client) == kNoContent);
      CHECK(f.at(engine) == kPing);
    }
  }
}

TEST_CASE("proxy/session: an old start with a body: checked, and its paths mapped") {
  const std::string head = "POST /v1.23/containers/abc/start HTTP/1.1\r\nHost: d\r\n";
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(head + "Content-Length: 21\r\n\r\n{\"Binds\":[\"/w:/dst\"]}");
  f.settle();
  REQUIRE(m.paths.asked.size() == 1);
  CHECK(m.paths.asked[0].container == "abc");
  m.paths.answer();
  CHECK_FALSE(f.accept().open());
  REQUIRE(m.paths.asked.size() == 1);
  CHECK(m.paths.asked[0].sources == std::vector<std::string>{"/w"});
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) ==
        head + "Content-Length: 39\r\n\r\n{\"Binds\":[\"/mnt/distro/Ubuntu/w:/dst\"]}");
  engine.send(kNoContent);
  f.at(client);
  // Without paths, and without a body.
  for (const std::string& rest :
       {std::string("Content-Length: 2\r\n\r\n{}"), std::string("\r\n")}) {
    client.send(head + rest);
    f.settle();
    m.paths.answer();
    CHECK(f.at(engine) == head + rest);
    engine.send(kNoContent);
    CHECK(f.at(client) == kNoContent);
  }
}

TEST_CASE("proxy/session: a list's filter gets the mapped path beside the given one") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  const std::string before = "GET /containers/json?all=1&filters=%7B%22volume%22%3A%5B%22%2Fw%22";
  client.send(before + "%5D%7D&x=%41 HTTP/1.1\r\nHost: d\r\nX-A: b\r\n\r\n" + kPing);
  CHECK_FALSE(f.accept().open());
  REQUIRE(m.paths.asked.size() == 1);
  CHECK(m.paths.asked[0].call == engine_api::Call::container_list);
  CHECK(m.paths.asked[0].sources == std::vector<std::string>{"/w"});
  m.paths.answer();
  Peer engine = f.accept();
  const std::string got = f.at(engine);
  std::string query = got;  // decoded_path() ends at a query
  const std::string added = engine_api::decoded_path(query.replace(got.find('?'), 1, "/"));
  CHECK(added.find(R"("/mnt/distro/Ubuntu/w")") != std::string::npos);
  CHECK(added.find(R"("/w")") != std::string::npos);
  CHECK(got.ends_with("&x=%41 HTTP/1.1\r\nHost: d\r\nX-A: b\r\n\r\n"));
  engine.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]\n");
  CHECK(f.at(client) ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[]\n\r\n0\r\n\r\n");
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/session: services may have paths where swarm can run") {
  Limits limits;
  limits.swarm_paths = true;
  MappedFixture m(limits);
  Peer client = m.f.client();
  client.send(service(kService));
  m.f.settle();
  m.paths.answer();
  Peer engine = m.f.accept();
  CHECK(m.f.at(engine).find(R"("Source":"/mnt/distro/Ubuntu/w")") != std::string::npos);
  // For the engine's own identity they are dockerd's business, always.
  Fixture own;
  Peer plain = own.client();
  plain.send(service(kService));
  Peer sees = own.accept();
  CHECK(own.at(sees) == service(kService));
}

TEST_CASE(
    "proxy/session: a filtered list goes to a new connection when the old one dies unanswered") {
  MappedFixture m;
  Fixture& f = m.f;
  Peer client = f.client();
  client.send(kPing);
  Peer engine = f.accept();
  f.at(engine);
  engine.send(kPong);
  f.at(client);
  client.send(
      "GET /containers/json?filters=%7B%22volume%22%3A%5B%22%2Fw%22%5D%7D HTTP/1.1\r\nHost: "
      "d\r\n\r\n");
  f.settle();
  m.paths.answer();
  const std::string sent = f.at(engine);
  CHECK(sent.find("Ubuntu") != std::string::npos);
  engine.close();
  Peer next = f.accept();
  REQUIRE(next.open());
  CHECK(f.at(next) == sent);
}
