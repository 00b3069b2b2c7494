// Clients that came in without a descriptor, as those of the link do.
#include <cerrno>
#include <deque>

#include "answer.h"
#include "fixture.h"

using namespace causeway;
using namespace causeway::proxy;
using namespace causeway::proxy::test;

namespace {

// What the other end of a stream sees, and does. The stream's transport takes `room` bytes.
struct Far {
  std::string got;
  bool fin = false;
  bool destroyed = false;
  bool paused = false;
  std::string queue;
  io::ByteStream::Handler* handler = nullptr;
};

class TestStream final : public io::ByteStream {
 public:
  explicit TestStream(Far& far) : ByteStream(nullptr), far_(far) {}
  ~TestStream() override { far_.destroyed = true; }
  void pause(Pause reason) override {
    pauses_ |= reason;
    far_.paused = true;
  }
  void resume(Pause reason) override {
    pauses_ &= ~static_cast<unsigned>(reason);
    far_.paused = pauses_ != 0;
    far_.handler = handler_;
  }
  void watch_hangup(bool) override { far_.handler = handler_; }
  void write(std::string_view bytes) override { far_.queue += bytes; }
  std::size_t queued() const override { return far_.queue.size(); }
  void shutdown_write() override { far_.fin = true; }
  bool write_ended() const override { return far_.fin; }
  bool read_ended() const override { return ended; }
  bool closes_in_order() const override { return true; }
  UniqueFd release(std::string*) override { return {}; }
  bool ended = false;

 private:
  Far& far_;
};

struct StreamFixture {
  explicit StreamFixture(Limits limits = {}, bool ready = true) : f(std::move(limits), ready) {
    endpoint = f.server.open({paths::Identity::Kind::windows, "windows"});
  }
  // A client, which may be refused.
  Far& client() {
    far.emplace_back();
    taken = f.server.serve(endpoint, std::make_unique<TestStream>(far.back())) == nullptr;
    return far.back();
  }
  // What the client has got so far.
  std::string at(Far& client) {
    f.settle();
    while (!client.destroyed && !client.queue.empty()) {
      client.got += std::exchange(client.queue, {});
      client.handler->on_drained();
      f.settle();
    }
    return std::exchange(client.got, {});
  }

  std::deque<Far> far;  // outlives the server
  bool taken = false;
  std::uint64_t endpoint = 0;
  Fixture f;
};

const std::string kExec =
    "POST /v1.41/exec/e/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    "Content-Length: 2\r\n\r\n{}";
const std::string kSwitched =
    "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

}  // namespace

TEST_CASE("proxy/proxy_server: a client without a descriptor is served as any other") {
  StreamFixture s;
  Far& client = s.client();
  REQUIRE(s.taken);
  CHECK(s.f.server.users(s.endpoint).sessions == 1);
  client.handler->on_data(kPing);
  Peer engine = s.f.accept();
  CHECK(s.f.at(engine) == kPing);
  engine.send(kPong);
  CHECK(s.at(client) == kPong);
  client.handler->on_data(kPing);
  CHECK(s.f.at(engine) == kPing);
  // It leaves: the engine's side is cancelled.
  client.handler->on_read_error({"aborted", ECONNABORTED});
  s.f.settle();
  CHECK(client.destroyed);
  s.f.at(engine);
  CHECK(engine.eof);
  CHECK(s.f.server.users(s.endpoint).sessions == 0);
  CHECK(s.f.server.counters().sessions == 0);
}

TEST_CASE("proxy/proxy_server: a switch of such a client keeps all bytes, in order, both ways") {
  StreamFixture s;
  Far& client = s.client();
  client.handler->on_data(kExec + "early client");
  Peer engine = s.f.accept();
  CHECK(s.f.at(engine) == kExec);
  engine.send(kSwitched + "early engine");
  CHECK(s.at(client) == kSwitched + "early engine");
  CHECK(s.f.at(engine) == "early client");
  CHECK(s.f.server.users(s.endpoint).streams == 1);
  CHECK(s.f.server.users(s.endpoint).sessions == 0);
  client.handler->on_data("input");
  CHECK(s.f.at(engine) == "input");
  client.handler->on_eof();
  s.f.at(engine);
  CHECK(engine.eof);
  engine.send("output");
  CHECK(s.at(client) == "output");
  CHECK(!client.fin);
  engine.close();
  s.at(client);
  CHECK(client.fin);
  CHECK(client.destroyed);
  CHECK(s.f.server.users(s.endpoint).streams == 0);
}

TEST_CASE("proxy/proxy_server: such a client's end before the switch is met behind it") {
  StreamFixture s;
  Far& client = s.client();
  client.handler->on_data(kExec + "all");
  client.handler->on_eof();
  Peer engine = s.f.accept();
  CHECK(s.f.at(engine) == kExec);
  CHECK(!engine.eof);
  engine.send(kSwitched);
  s.at(client);
  CHECK(s.f.at(engine) == "all");
}

TEST_CASE("proxy/proxy_server: an engine that floods such a client is held back") {
  StreamFixture s;
  Far& client = s.client();
  client.handler->on_data(kExec);
  Peer engine = s.f.accept();
  s.f.at(engine);
  engine.send(kSwitched);
  s.at(client);
  const std::string data(1 << 20, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 50; ++i) {
    sent += engine.send(data);
    s.f.settle();
  }
  CHECK(client.queue.size() <= (64U << 10) * 2);
  CHECK(sent < std::size_t{8} << 20);
  CHECK(s.at(client).size() == sent);
}

TEST_CASE("proxy/proxy_server: an answer that ends the connection needs no lingering there") {
  StreamFixture s;
  Far& client = s.client();
  client.handler->on_data("GET /x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
  Peer engine = s.f.accept();
  s.f.at(engine);
  engine.send(kPong);
  s.f.settle();
  CHECK(!client.destroyed);  // not before the last byte was taken
  CHECK(s.at(client) == kPong);
  CHECK(client.fin);
  CHECK(client.destroyed);
}

TEST_CASE("proxy/proxy_server: no room, or the end: such a client isn't taken") {
  Limits limits;
  limits.sessions = 1;
  StreamFixture s(limits);
  s.client();
  CHECK(s.taken);
  CHECK(s.client().destroyed);
  CHECK(!s.taken);
  StreamFixture other;
  other.f.server.drain(1000, [] {});
  other.client();
  CHECK(!other.taken);
}
