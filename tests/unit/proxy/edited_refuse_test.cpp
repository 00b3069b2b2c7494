// Requests with paths that are refused: the engine sees nothing of them.
#include "answer.h"
#include "edited_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

TEST_CASE("proxy/session: what can't be mapped is refused, and the engine sees nothing of it") {
  struct Case {
    const char* name;
    std::string request;
    int status;        // what the editor says; 0: it isn't asked
    int expected;      // what the client gets
    const char* text;  // in the message
  };
  const std::string other = R"({"HostConfig":{"Binds":["/a:/b"]})";
  const std::vector<Case> cases = {
      {"no JSON", create("nonsense"), 0, 400, ""},
      {"ends too early", create(R"({"HostConfig":{"Binds":["/a:/b"]})"), 0, 400, ""},
      {"bytes behind", create(R"({"HostConfig":{"Binds":["/a:/b"]}} {})"), 0, 400, ""},
      {"a key twice", create(R"({"HostConfig":{"Binds":["/a:/b"],"binds":["/c:/b"]}})"), 0, 400,
       ""},
      {"a wrong type", create(R"({"HostConfig":{"Binds":"/a:/b"}})"), 0, 400, ""},
      {"percent-encoded",
       "POST /v1.41/containers/%63reate HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n[]", 0, 400,
       ""},
      {"a filter twice",
       "GET /containers/json?filters=%7B%7D&filters=%7B%7D HTTP/1.1\r\nHost: d\r\n\r\n", 0, 400,
       ""},
      {"the editor says no", create(kBody), 400, 400, "because"},
      {"a share isn't there", create(kBody), 503, 503, "because"},
      {"a filter that can't be mapped",
       "GET /containers/json?filters=%7B%22volume%22%3A%5B%22%2Fw%22%5D%7D HTTP/1.1\r\nHost: "
       "d\r\n\r\n",
       400, 400, "because"},
      {"a link has changed", kStart, 409, 409, "because"},
      {"a link has changed, restart",
       "POST /containers/abc/restart?t=1 HTTP/1.1\r\nHost: d\r\n\r\n", 409, 409, "because"},
      {"with a body",
       "POST /containers/abc/start HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}", 409, 409,
       "because"},
  };
  for (const Case& c : cases) {
    for (const bool after_another : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(after_another);
      EditedFixture m;
      Fixture& f = m.f;
      Peer client = f.client();
      Peer engine;
      if (after_another) {
        client.send(kPing);
        engine = f.accept();
        CHECK(f.at(engine) == kPing);
        engine.send(kPong);
        f.at(client);
      }
      client.send(c.request);
      f.settle();
      REQUIRE(m.paths.asked.size() == (c.status == 0 ? 0 : 1));
      if (c.status != 0) m.paths.refuse(c.status, "because of this");
      const Answer answer = parse(f.at(client));
      CHECK(answer.status == c.expected);
      CHECK_FALSE(answer.message.empty());
      CHECK(answer.message.find(c.text) != std::string::npos);
      CHECK(answer.keep_alive);
      CHECK_FALSE(f.accept().open());
      if (after_another) {
        CHECK(f.at(engine).empty());
        CHECK_FALSE(engine.eof);
      }
      // The connection is good for another request.
      client.send(kPing);
      if (!after_another) engine = f.accept();
      CHECK(f.at(engine) == kPing);
    }
  }
}

TEST_CASE("proxy/session: a body that is refused early is read to its end, within bounds") {
  EditedFixture m;
  Peer client = m.f.client();
  client.send("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 20\r\n\r\nnonsense");
  m.f.settle();
  CHECK(m.f.at(client).empty());
  client.send("nonsense....");
  CHECK(parse(m.f.at(client)).keep_alive);
  // More than that, and it isn't waited for.
  client.send(
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9999999\r\n\r\nnonsense");
  const Answer answer = parse(m.f.at(client));
  CHECK(answer.status == 400);
  CHECK_FALSE(answer.keep_alive);
  CHECK(client.eof);
  CHECK_FALSE(m.f.accept().open());
}

TEST_CASE("proxy/session: a body with paths that ends early is refused, not passed on") {
  for (const char* framing :
       {"Content-Length: 80\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n20\r\n"}) {
    EditedFixture m;
    Peer client = m.f.client();
    client.send(std::string("POST /containers/create HTTP/1.1\r\nHost: d\r\n") + framing +
                kBody.substr(0, 20));
    m.f.settle();
    client.finish();
    CHECK(parse(m.f.at(client)).status == 400);
    CHECK(client.eof);
    CHECK_FALSE(m.f.accept().open());
    CHECK(m.f.server.counters().sessions == 0);
  }
}

TEST_CASE("proxy/session: a bad chunk in a body with paths is refused unseen") {
  EditedFixture m;
  Peer client = m.f.client();
  client.send(
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\n{\"\r\n0x3\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(parse(m.f.at(client)).status == 400);
  CHECK(client.eof);
  CHECK_FALSE(m.f.accept().open());
}

TEST_CASE("proxy/session: a full disk under a long body: 500 with the reason") {
  Limits limits;
  limits.body_in_memory = 1000;
  EditedFixture m(limits);
  Fixture& f = m.f;
  const FileSizeLimit full(50'000);
  Peer client = f.client();
  const std::string body = R"({"Env":[")" + std::string(60'000, 'x') + "\"]}";
  const std::string request = create(body);
  client.send(request);
  const Answer answer = parse(f.at(client));
  CHECK(answer.status == 500);
  CHECK(answer.message.find("File too large") != std::string::npos);
  CHECK(answer.keep_alive);
  CHECK_FALSE(f.accept().open());
  CHECK(unnamed_files("/tmp").empty());
}

TEST_CASE("proxy/session: a body with paths that stalls: 408, a mapping has no limit of ours") {
  Limits limits;
  limits.stall_ms = 20;
  limits.head_ms = 20;
  limits.idle_ms = 60;
  EditedFixture m(limits);
  Fixture& f = m.f;
  Peer stalled = f.client();
  Peer asking = f.client();
  asking.send(create(kBody));
  stalled.send(create(kBody).substr(0, 150));
  CHECK(f.until([&] { return stalled.receive(), stalled.eof; }));
  CHECK(parse(stalled.take()).status == 408);
  Peer idle = f.client();
  CHECK(f.until([&] { return idle.receive(), idle.eof; }));
  m.paths.answer();
  Peer engine = f.accept();
  CHECK(f.at(engine) == create(kMappedBody));
}
