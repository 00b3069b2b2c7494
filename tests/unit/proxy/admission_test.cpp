// Places, memory and disk when clients take all that they can get: nobody else is shut out, and
// whoever stalls gives way.
#include "answer.h"
#include "edited_fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

// An endpoint of its own at the fixture's server.
struct Door {
  Door(Fixture& fixture, const std::string& name, const paths::Identity& identity = {})
      : f(fixture), path(fixture.path + "/" + name) {
    auto listening = io::listen_unix(path, 0600);
    REQUIRE(listening.ok());
    id = f.server.listen(std::move(*listening), identity);
  }
  Peer client() const {
    auto fd = io::connect_unix(path);
    REQUIRE(fd.ok());
    f.settle();
    return Peer{std::move(*fd), {}, false, false};
  }
  std::vector<Peer> clients(std::size_t count, std::string_view say) const {
    std::vector<Peer> out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back(client());
      out.back().send(say);
      f.settle();
    }
    return out;
  }
  ProxyServer::Users users() const { return f.server.users(id); }

  Fixture& f;
  std::string path;
  std::uint64_t id = 0;
};

const std::string kHalfBody =
    "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n{";

Limits small() {
  Limits limits;
  limits.sessions = 40;
  limits.sessions_reserve = 4;
  limits.linger_ms = 60'000;
  limits.pressed_ms = 60'000;
  return limits;
}

}  // namespace

TEST_CASE("proxy/proxy_server: half bodies at one door shut out nobody at the others") {
  EditedFixture m(small());
  Fixture& f = m.f;
  const Door distro(f, "distro.sock", kUbuntu);
  const Door windows(f, "windows.sock", {paths::Identity::Kind::windows, "windows"});
  const auto hostile = distro.clients(60, kHalfBody);
  CHECK(distro.users().full);
  CHECK(distro.users().sessions == 40 - 2 * 4);  // all but the reserve of the two other doors
  CHECK_FALSE(windows.users().full);
  for (int round = 0; round < 3; ++round) {
    auto clients = windows.clients(4, kPing);
    CHECK(windows.users().full);
    for (Peer& client : clients) {
      Peer engine = f.accept();
      REQUIRE(engine.open());
      CHECK(f.at(engine) == kPing);
      engine.send(kPong);
      engine.close();
      CHECK(f.at(client) == kPong);
      client.close();
    }
    f.settle();
  }
  // The fixture's own door has its reserve, too.
  Peer root = f.client();
  root.send(kPing);
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == kPing);
}

TEST_CASE("proxy/proxy_server: a request that has stalled gives way, as soon as somebody waits") {
  Limits limits = small();
  limits.pressed_ms = 5;
  EditedFixture m(limits);
  Fixture& f = m.f;
  const Door distro(f, "distro.sock", kUbuntu);
  auto hostile = distro.clients(36, kHalfBody);
  REQUIRE(distro.users().full);
  CHECK(f.until([&] { return distro.users().stalled == 36; }));
  // Nobody waits: so nobody has to go.
  for (Peer& peer : hostile) CHECK(f.at(peer).empty());
  CHECK(distro.users().sessions == 36);
  Peer late = distro.client();
  late.send(kPing);
  Peer engine;
  CHECK(f.until([&] { return engine = f.accept(), engine.open(); }));
  CHECK(f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(f.at(late) == kPong);
  std::size_t told = 0;
  for (Peer& peer : hostile) {
    const std::string got = f.at(peer);
    if (got.empty()) continue;
    ++told;
    const Answer answer = parse(got);
    CHECK(answer.status == 408);
    CHECK(answer.message == "the request has stalled, and others wait for its connection");
    CHECK(peer.eof);
  }
  CHECK(told == 1);  // one came, one went
}

TEST_CASE("proxy/proxy_server: who goes first when others wait") {
  Limits limits;
  limits.sessions = 3;
  limits.sessions_reserve = 0;
  limits.linger_ms = 20;
  limits.pressed_ms = 20;
  limits.pressed_bytes = 100;
  Fixture f(limits);
  struct Case {
    const char* name;
    std::string first, second;  // what they say before others wait
    int stays;                  // of the two
  };
  const std::string head = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n";
  const std::vector<Case> cases = {
      {"an idle one before a half body", "", kHalfBody, 2},
      {"an idle one before a half head", "GET / HT", "", 1},
      {"a half body before one that waits for its answer", head + "abc", kPing, 2},
      {"a half head before one that waits for its answer", kPing, "GET / HT", 1},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Peer busy = f.client();  // an answer that takes long is nobody's fault
    busy.send(kPing);
    Peer first = f.client();
    first.send(c.first);
    Peer second = f.client();
    second.send(c.second);
    f.settle();
    Peer third = f.client();
    third.send(kPing);
    CHECK(f.until([&] {
      first.receive();
      second.receive();
      return first.eof || second.eof;
    }));
    CHECK(first.eof == (c.stays == 2));
    CHECK(second.eof == (c.stays == 1));
    f.at(busy);
    CHECK_FALSE(busy.eof);
    for (Peer* const peer : {&busy, &first, &second, &third}) peer->close();
    f.settle();
    while (f.accept().open()) {
    }
    REQUIRE(f.server.counters().sessions == 0);
  }
}

TEST_CASE("proxy/proxy_server: a byte from time to time is no progress, a body that comes is") {
  Limits limits;
  limits.sessions = 2;
  limits.sessions_reserve = 0;
  limits.pressed_ms = 50;
  limits.pressed_bytes = 100'000;
  limits.linger_ms = 60'000;
  Fixture f(limits);
  const std::string head = "POST /x HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n";
  Peer drips = f.client();
  drips.send(head);
  Peer slow_engine = f.accept();
  Peer flows = f.client();
  flows.send(head);
  Peer engine = f.accept();
  REQUIRE(engine.open());
  Peer third = f.client();
  third.send(kPing);
  CHECK(f.until([&] {
    drips.send("x");
    flows.send(std::string(30'000, 'x'));
    slow_engine.take();
    engine.take();
    drips.receive();
    return drips.eof;
  }));
  CHECK(parse(drips.take()).status == 408);
  f.at(flows);
  CHECK_FALSE(flows.eof);
}

TEST_CASE("proxy/proxy_server: waiting requests of one door leave others theirs") {
  Limits limits;
  limits.waiting = 8;
  limits.waiting_reserve = 2;
  Fixture f(limits, false);
  const Door distro(f, "distro.sock", kUbuntu);
  const auto many = distro.clients(20, kPing);
  CHECK(f.server.counters().waiting == 6);
  Peer root = f.client();
  root.send(kPing);
  CHECK(f.at(root).empty());
  CHECK(f.server.counters().waiting == 7);
}

TEST_CASE("proxy/session: bodies in memory have one bound over all, then they go to disk") {
  Limits limits;
  limits.memory = 400'000;
  limits.memory_reserve = 50'000;
  limits.free_memory = 8'000;
  const causeway::test::TempDir directory;
  limits.body_directory = directory.path;
  EditedFixture m(limits);
  Fixture& f = m.f;
  const std::string filler = R"({"Env":[")" + std::string(60'000, 'x');
  const auto half = [&] {
    Peer client = f.client();
    client.send(
        "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100000\r\n\r\n" +
        filler);
    f.settle();
    return client;
  };
  std::vector<Peer> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(half());
  const auto files = unnamed_files(directory.path);
  CHECK(files.size() >= 20 - 400'000 / 60'000);
  CHECK(files.size() < 20);
  CHECK(f.server.quotas_now().memory.used() <= 400'000);
  // Each is complete and right, wherever it was.
  for (Peer& client : clients) {
    client.send(std::string(100'000 - filler.size() - 3, 'y') + "\"]}");
    Peer engine = f.accept();
    REQUIRE(engine.open());
    std::string got;
    CHECK(f.until([&] { return got += engine.take(), got.size() > 100'000; }));
    CHECK(got.ends_with(filler + std::string(100'000 - filler.size() - 3, 'y') + "\"]}"));
    engine.send(kCreated);
    CHECK(f.at(client) == kCreatedChunked);
    client.close();
  }
  f.settle();
  CHECK(unnamed_files(directory.path).empty());
  CHECK(f.server.quotas_now().memory.used() == 0);
  CHECK(f.server.quotas_now().disk.used() == 0);
}

TEST_CASE("proxy/session: bodies on disk have a bound, and the client is told so") {
  Limits limits;
  limits.body_in_memory = 1'000;
  limits.disk = 3 << 20;
  limits.disk_reserve = 1 << 20;
  const causeway::test::TempDir directory;
  limits.body_directory = directory.path;
  EditedFixture m(limits);
  Fixture& f = m.f;
  const Door distro(f, "distro.sock", kUbuntu);  // the third MiB is its reserve
  const auto create_of = [](std::size_t length) {
    return "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n{\"Env\":[\"";
  };
  const auto pour = [&](Peer& client, std::size_t bytes) {
    const std::string piece(32'768, 'x');
    for (std::size_t at = 0; at < bytes;) {
      const std::size_t n = client.send(std::string_view(piece).substr(0, bytes - at));
      at += n;
      f.settle();
      client.receive();
      if (!client.got.empty()) return;
      REQUIRE(n > 0);
    }
  };
  SUBCASE("a length that nobody may have: told before a byte of it") {
    Peer client = f.client();
    client.send(create_of(10 << 20));
    const Answer answer = parse(f.at(client));
    CHECK(answer.status == 413);
    CHECK(
        answer.message ==
        "the request's body is larger than 2.2 MiB, the most that is kept on disk until its paths "
        "are mapped");
    CHECK(client.eof);
  }
  SUBCASE("without a length: told when it is there") {
    Peer client = f.client();
    client.send(
        "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"
        "A00000\r\n{\"Env\":[\"");
    pour(client, 5 << 20);
    CHECK(parse(f.at(client)).status == 413);
  }
  SUBCASE("others take all of it: told to come again; a door's reserve stays") {
    Peer first = f.client();
    first.send(create_of(2 << 20));
    pour(first, (3 << 19) + 1000);
    REQUIRE(first.got.empty());
    Peer second = f.client();
    second.send(create_of(1 << 20));
    pour(second, 1'000'000);
    const Answer answer = parse(f.at(second));
    CHECK(answer.status == 503);
    CAPTURE(answer.message);
    CHECK(answer.message.find(" on disk and ") != std::string::npos);
    Peer other = distro.client();
    other.send(create_of(1 << 20));
    pour(other, 1'000'000);
    CHECK(f.at(other).empty());
    first.close();
    f.settle();
    Peer third = f.client();
    third.send(create_of(1 << 20));
    pour(third, 1'000'000);
    CHECK(f.at(third).empty());
  }
  m.paths.asked.clear();
}

TEST_CASE("proxy/session: heads have a bound over all, too, and small ones never meet it") {
  Limits limits;
  limits.memory = 2 << 20;
  limits.memory_reserve = 1 << 19;
  Fixture f(limits);
  const Door distro(f, "distro.sock", kUbuntu);
  const std::string half = "GET /x HTTP/1.1\r\nHost: d\r\nX: " + std::string(500'000, 'x');
  std::vector<Peer> hostile;
  std::size_t refused = 0;
  for (int i = 0; i < 10; ++i) {
    hostile.push_back(distro.client());
    for (std::size_t at = 0; at < half.size();) {
      const std::size_t n = hostile.back().send(std::string_view(half).substr(at));
      if (n == 0) break;
      at += n;
      f.settle();
    }
    const std::string got = f.at(hostile.back());
    if (got.empty()) continue;
    ++refused;
    CHECK(parse(got).status == 503);
  }
  CHECK(refused >= 6);
  CHECK(refused < 10);
  CHECK(f.server.quotas_now().memory.used() <= 2 << 20);
  // A usual request, at the same door; a large one at another.
  Peer usual = distro.client();
  usual.send(kPing);
  Peer engine = f.accept();
  REQUIRE(engine.open());
  CHECK(f.at(engine) == kPing);
  const std::string large =
      "GET /x HTTP/1.1\r\nHost: d\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n";
  Peer root = f.client();
  root.send(large);
  Peer next = f.accept();
  REQUIRE(next.open());
  std::string got;
  CHECK(f.until([&] { return got += next.take(), got.size() >= large.size(); }));
  CHECK((got == large));
}

TEST_CASE("proxy/session: clients that don't read hold little together, and who reads gets all") {
  constexpr std::size_t kBody = 600'000;
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBody) +
                             "\r\n\r\n" + std::string(kBody, 'a');
  struct Case {
    std::uint64_t memory;
    bool all_stay;
  };
  for (const Case& c : {Case{std::uint64_t{6} << 20, true}, Case{std::uint64_t{1} << 20, false}}) {
    CAPTURE(c.memory);
    Limits limits;
    limits.memory = c.memory;
    limits.memory_reserve = 0;
    Fixture f(limits);
    struct Pair {
      Peer client;
      Peer engine;
      std::size_t sent = 0;
    };
    std::vector<Pair> pairs(30);
    for (Pair& pair : pairs) {
      pair.client = f.client();
      pair.client.send(kPing);
      pair.engine = f.accept();
      REQUIRE(pair.engine.open());
      f.at(pair.engine);
    }
    const auto send_more = [&](Pair& pair) {
      for (std::size_t n = 1; n > 0 && pair.sent < answer.size(); pair.sent += n) {
        n = pair.engine.send(std::string_view(answer).substr(pair.sent));
        f.settle();
        REQUIRE(f.server.quotas_now().memory.used() <= c.memory);
      }
    };
    for (Pair& pair : pairs) send_more(pair);
    std::size_t whole = 0;
    for (Pair& pair : pairs) {
      std::string got;
      std::size_t before = 1;
      while (got.size() != before) {
        before = got.size();
        got += f.at(pair.client);
        send_more(pair);
        got += f.at(pair.client);
      }
      CHECK((answer.starts_with(got)));  // nothing is made up
      whole += got.size() == answer.size() ? 1 : 0;
    }
    CHECK((whole == pairs.size()) == c.all_stay);
    CHECK(whole > 0);
  }
}

TEST_CASE("proxy/session: heads up to dockerd's limit, beyond it 431") {
  const auto with = [](std::size_t target, std::size_t field) {
    return "GET /images/get?names=" + std::string(target, 'n') +
           " HTTP/1.1\r\nHost: d\r\nX-Registry-Config: " + std::string(field, 'r') + "\r\n\r\n";
  };
  struct Case {
    const char* name;
    std::string request;
    bool passes;
  };
  const std::vector<Case> cases = {
      {"a target of 70,000", with(70'000, 10), true},
      {"a target of 600,000", with(600'000, 10), true},
      {"a field of 300,000", with(10, 300'000), true},
      {"a head of 1 MiB", with(500'000, 500'000), true},
      {"a head of 1.1 MiB", with(600'000, 500'000), false},
      {"2,000 fields",
       [] {
         std::string head = "GET /x HTTP/1.1\r\nHost: d\r\n";
         for (int i = 0; i < 2'000; ++i) head += "X-" + std::to_string(i) + ": v\r\n";
         return head + "\r\n";
       }(),
       true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Fixture f;
    Peer client = f.client();
    Peer engine;
    std::string got;
    for (std::size_t at = 0; at < c.request.size();) {
      const std::size_t n = client.send(std::string_view(c.request).substr(at));
      at += n;
      f.settle();
      if (n > 0) continue;
      // The kernel's queue is full: the engine has to take some.
      if (!engine.open()) engine = f.accept();
      if (!engine.open()) break;
      got += engine.take();
    }
    if (!engine.open()) engine = f.accept();
    REQUIRE(engine.open() == c.passes);
    if (!c.passes) {
      const Answer answer = parse(f.at(client));
      CHECK(answer.status == 431);
      CHECK(answer.message.find("more than 1052672 bytes") != std::string::npos);
      continue;
    }
    CHECK(f.until([&] { return got += engine.take(), got.size() >= c.request.size(); }));
    CHECK((got == c.request));
    engine.send(kPong);
    CHECK(f.at(client) == kPong);
  }
}

TEST_CASE("proxy/session: clients of other protocols are told what is spoken here") {
  struct Case {
    std::string sent;
    const char* text;
  };
  const std::vector<Case> cases = {
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"},
      // What a gRPC client sends at once: the preface and its SETTINGS.
      {std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\5\0\0\x40\0", 39),
       "HTTP/2"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), "TLS"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    Fixture f;
    Peer client = f.client();
    client.send(c.sent);
    const Answer answer = parse(f.at(client));
    CHECK(answer.status == 400);
    CHECK(answer.message.find(std::string("the client began with ") + c.text) != std::string::npos);
    CHECK(client.eof);
    CHECK_FALSE(f.accept().open());
  }
}
