#include "supervise/liveness.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/endpoint.h"
#include "io/listener.h"
#include "support/scripted_engine.h"

using namespace causeway;
using namespace causeway::supervise;

namespace {

constexpr std::uint64_t kPatienceMs = 60;

struct Rig {
  void watch(AliveRule::Kind kind) {
    liveness = std::make_unique<Liveness>(
        engine.loop, AliveRule{kind, path, "/_ping"}, [this] { ++changes; },
        Liveness::Times{10, kPatienceMs, 10, 10'000});
  }
  bool silent() const { return liveness->silent(); }

  test::ScriptedEngine engine;
  std::string path = engine.socket();
  int changes = 0;
  std::unique_ptr<Liveness> liveness;
};

}  // namespace

TEST_CASE("supervise/liveness: a GET without an answer is told, and so is the answer after it") {
  Rig rig;
  rig.engine.answers["GET /_ping"] = {200, "OK"};
  rig.watch(AliveRule::Kind::http);
  CHECK(!rig.silent());
  REQUIRE(rig.engine.until([&] { return rig.engine.asked.size() == 1; }));
  rig.engine.settle();
  CHECK(!rig.silent());
  CHECK(rig.changes == 0);

  rig.engine.answers["GET /_ping"] = {500, "ill"};
  REQUIRE(rig.engine.until([&] { return rig.silent(); }));
  CHECK(rig.liveness->finding() == "GET /_ping: answered 500");
  CHECK(rig.changes == 1);

  rig.engine.answers["GET /_ping"] = {200, "OK"};
  REQUIRE(rig.engine.until([&] { return !rig.silent(); }));
  CHECK(rig.changes == 2);
  CHECK(rig.liveness->finding().empty());

  // It takes the question and says nothing: told after a while, by the time of the question.
  rig.engine.silent = true;
  REQUIRE(rig.engine.until([&] { return rig.silent(); }));
  CHECK(rig.liveness->silent_ms() >= kPatienceMs);
  CHECK(rig.changes == 3);
  rig.liveness.reset();  // with a question open
  rig.engine.settle();
}

TEST_CASE("supervise/liveness: nobody there is silent at once; no rule asks nothing") {
  Rig rig;
  rig.path = rig.engine.folder + "/nowhere.sock";
  rig.watch(AliveRule::Kind::socket);
  REQUIRE(rig.engine.until([&] { return rig.changes == 1; }));
  CHECK(rig.liveness->finding().find("No such file") != std::string::npos);
  rig.path = rig.engine.socket();
  rig.watch(AliveRule::Kind::none);
  rig.engine.settle();
  CHECK(!rig.silent());
}

TEST_CASE("supervise/liveness: a server of HTTP/2 is greeted, and its first byte is the answer") {
  Rig rig;
  rig.path = rig.engine.folder + "/grpc.sock";
  auto listening = io::listen_unix(rig.path, 0600);
  REQUIRE(listening.ok());
  struct Server : io::Stream::Handler {
    Server(io::Loop& loop, UniqueFd fd, std::string& said)
        : heard(said), stream(loop, std::move(fd), this) {
      stream.resume(io::Stream::not_started);
    }
    void on_data(std::string_view bytes) override { heard += bytes; }
    void on_eof() override {}
    void on_drained() override {}
    void on_read_error(const Error&) override {}
    void on_write_error(const Error&) override {}
    std::string& heard;
    io::Stream stream;
  };
  std::string heard;
  std::vector<std::unique_ptr<Server>> servers;
  bool speaks = true;
  io::Listener listener(rig.engine.loop, *std::move(listening), [&](UniqueFd fd) {
    servers.push_back(std::make_unique<Server>(rig.engine.loop, std::move(fd), heard));
    if (speaks) servers.back()->stream.write(std::string_view("\0\0\0\x04\0\0\0\0\0", 9));
  });
  rig.watch(AliveRule::Kind::http2);
  REQUIRE(rig.engine.until([&] { return heard.size() >= 33; }));
  rig.engine.settle();
  CHECK(heard ==
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\x04\0\0\0\0\0", 9));
  CHECK(!rig.silent());
  speaks = false;
  REQUIRE(rig.engine.until([&] { return rig.silent(); }));
  CHECK(servers.size() == 2);
  // One that hangs up is as silent.
  servers.back()->stream.shutdown_write();
  REQUIRE(rig.engine.until([&] { return !rig.liveness->finding().empty(); }));
  CHECK(rig.liveness->finding() == "it closed the connection");
  speaks = true;
  REQUIRE(rig.engine.until([&] { return !rig.silent(); }));
  CHECK(rig.changes == 2);
}
