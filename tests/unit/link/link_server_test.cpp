// Who may connect, how many, and listeners that die.
#include "link/link_server.h"

#include <doctest/doctest.h>

#include "rig.h"

using namespace causeway;
using namespace causeway::link;
using namespace causeway::link::test;

TEST_CASE(
    "link/link_server: the newest session is used, and beyond the limit the oldest is dropped") {
  LinkServer::Options options;
  options.sessions = 2;
  Rig rig(options);
  CHECK(!rig.server->open(wire::Channel::distro_start));
  Windows first = rig.connect();
  first.greet();
  Windows second = rig.connect();
  second.greet();
  CHECK(rig.server->status().sessions == 2);
  auto stream = rig.server->open(wire::Channel::distro_start);
  REQUIRE(stream);
  Served served;
  stream->set_handler(&served);
  first.settle();
  second.settle();
  CHECK(first.opened.empty());
  REQUIRE(second.opened.size() == 1);
  CHECK(second.data[second.opened[0]] == "\x03");

  Windows third = rig.connect();
  third.greet();
  first.settle();
  CHECK(first.farewell);
  CHECK(first.eof);
  CHECK(rig.server->status().sessions == 2);
  second.settle();
  CHECK(!second.eof);
  CHECK(rig.connected == 3);
  // The one that is left is used.
  third.close();
  rig.settle();
  CHECK(rig.server->open(wire::Channel::distro_start));
}

TEST_CASE("link/link_server: those who haven't said hello drop nobody") {
  LinkServer::Options options;
  options.sessions = 1;
  options.strangers = 2;
  Rig rig(options);
  Windows windows = rig.connect();
  windows.greet();
  Windows one = rig.connect();
  Windows two = rig.connect();
  rig.settle();
  Windows three = rig.connect();
  three.take();
  CHECK(three.eof);
  CHECK(rig.server->status().refusal->reason.find("too many") != std::string::npos);
  one.take();
  CHECK(!one.eof);
  one.say_hello(nonce_of(9));
  one.take();
  windows.settle();
  CHECK(!windows.eof);
  CHECK(rig.server->status().sessions == 1);
}

TEST_CASE("link/link_server: a peer that isn't admitted is closed, and that is shown") {
  Rig rig;
  rig.stranger = "CID 5 is not Windows' (2)";
  Windows windows = rig.connect();
  windows.take();
  CHECK(windows.eof);
  CHECK(rig.server->status().refusal->reason == "unix: CID 5 is not Windows' (2)");
  CHECK(rig.changed > 0);
}

TEST_CASE("link/link_server: a listener that dies is made again") {
  LinkServer::Options options;
  options.delays = {1, 20, 10'000};
  Rig rig(options);
  CHECK(rig.server->listeners().front().listening());
  for (int i = 1; i <= 3; ++i) {
    ::shutdown(rig.listening, SHUT_RDWR);  // accept gives EINVAL from now on
    rig.settle();
    CHECK(rig.until([&] { return rig.listens == i + 1; }));
    rig.settle();
    REQUIRE(rig.server->listeners().front().listening());
    Windows windows = rig.connect();
    windows.greet();
    CHECK(rig.connected == i);
  }
}

TEST_CASE(
    "link/link_server: one that can't be made is tried again with growing delays, and says why") {
  LinkServer::Options options;
  options.delays = {2, 64, 10'000};
  Rig rig(options);
  rig.broken = "bind: no such device";
  ::shutdown(rig.listening, SHUT_RDWR);
  const auto start = rig.loop.now_ms();
  CHECK(rig.until([&] { return rig.loop.now_ms() > start + 300; }));
  const auto& listener = rig.server->listeners().front();
  CHECK(!listener.listening());
  CHECK(listener.reason() == "bind: no such device");
  CHECK(rig.changed > 0);
  CHECK(rig.listens < 14);  // 2, 4, 8 … 64 ms apart
  rig.broken.clear();
  CHECK(rig.until([&] { return listener.listening(); }));
  CHECK(listener.reason().empty());
}

TEST_CASE("link/link_server: destroyed with sessions in every state") {
  Rig rig;
  Windows open = rig.connect();
  open.greet();
  open.open(wire::Channel::engine, "x");
  open.settle();
  Windows stranger = rig.connect();
  Windows refused = rig.connect();
  refused.say_hello(nonce_of(9));
  rig.settle();
  rig.server.reset();
  CHECK(rig.served.at(0).log == "da");
  rig.settle();
}

TEST_CASE("link/endpoints: where vsock makes sense") {
  CHECK(is_wsl_kernel("5.15.167.4-microsoft-standard-WSL2"));
  CHECK(!is_wsl_kernel("6.1.0-18-amd64"));
  CHECK(!kernel_release().empty());
}

TEST_CASE("link/endpoints: link.sock is taken once, TCP listens on loopback only") {
  Rig rig;
  auto bound = io::listen_unix(rig.directory / "x.sock", 0600);
  REQUIRE(bound.ok());
  const Endpoint given = unix_endpoint("/run/link.sock", *std::move(bound));
  CHECK(given.listen().ok());
  CHECK(!given.listen().ok());
  ::unlink((rig.directory / "x.sock").c_str());
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  CHECK(given.admit(ends[0]).ok() == (::getuid() == 0));
  ::close(ends[0]);
  ::close(ends[1]);
}
