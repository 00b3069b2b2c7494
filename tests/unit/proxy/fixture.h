// A proxy between clients and an engine that both are played by the test, all on one thread: what
// can happen without waiting for time happens within settle().
#pragma once

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/settle.h"
#include "io/endpoint.h"
#include "io/loop.h"
#include "io/timer.h"
#include "proxy/proxy_server.h"

namespace causeway::proxy::test {

// One end that the test plays.
struct Peer {
  UniqueFd fd;
  std::string got;
  bool eof = false;    // FIN has come
  bool reset = false;  // reading failed

  bool open() const { return static_cast<bool>(fd); }
  // Bytes that the kernel took.
  std::size_t send(std::string_view bytes) {
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  void finish() { ::shutdown(fd.get(), SHUT_WR); }
  void close() { fd.reset(); }
  // Reads what there is into `got`, at most `limit` bytes.
  void receive(std::size_t limit = 1U << 30U) {
    std::array<char, 16384> buffer{};
    while (limit > 0) {
      const ssize_t n =
          ::recv(fd.get(), buffer.data(), std::min(limit, buffer.size()), MSG_DONTWAIT);
      if (n == 0) eof = true;
      if (n < 0 && errno != EAGAIN) reset = true;
      if (n <= 0) return;
      got.append(buffer.data(), static_cast<std::size_t>(n));
      limit -= static_cast<std::size_t>(n);
    }
  }
  std::string take() {
    receive();
    return std::exchange(got, {});
  }
};

// While it lives this process's files can't grow beyond `bytes`: what a full disk does, without a
// disk.
struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
    handler = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  rlimit before{};
  void (*handler)(int) = SIG_DFL;
};

struct Fixture {
  explicit Fixture(Limits limits = {}, bool ready = true, const paths::Identity& identity = {},
                   PathService* paths = nullptr)
      : gate(directory() + "/engine.sock"), server(loop, gate, std::move(limits), paths) {
    start_engine();
    auto listening = io::listen_unix(path + "/proxy.sock", 0600);
    REQUIRE(listening.ok());
    server.listen(std::move(*listening), identity);
    if (ready) gate.set(EngineGate::State::ready, "");
  }
  ~Fixture() { std::system(("rm -rf " + path).c_str()); }  // NOLINT: a path made here

  const std::string& directory() {
    std::array<char, 32> name{"/tmp/causeway-proxy-XXXXXX"};
    return path = mkdtemp(name.data());
  }
  void start_engine() {
    auto listening = io::listen_unix(path + "/engine.sock", 0600);
    REQUIRE(listening.ok());
    engine = std::move(*listening);
  }
  void settle() { causeway::test::settle(loop); }
  // Lets time pass until `done`, for the limits in milliseconds that a test sets; bounded.
  template <typename Done>
  void wait_until(Done done) {
    io::Timer tick(loop);
    for (int i = 0; i < 1000 && !done(); ++i) {
      tick.start(2, [this] { loop.stop(); });
      loop.run();
    }
  }

  Peer client() {
    auto fd = io::connect_unix(path + "/proxy.sock");
    REQUIRE(fd.ok());
    settle();
    return Peer{std::move(*fd), {}, false, false};
  }
  // The engine's next connection; one that isn't open when there is none.
  Peer accept() {
    settle();
    return Peer{UniqueFd(::accept4(engine.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)),
                {},
                false,
                false};
  }
  // After everything moved: what has arrived at the peer.
  std::string at(Peer& peer) {
    settle();
    return peer.take();
  }

  std::string path;
  io::Loop loop;
  EngineGate gate;
  ProxyServer server;
  UniqueFd engine;
};

inline const std::string kPing = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
inline const std::string kPong = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

}  // namespace causeway::proxy::test
