// A control server on a socket in a directory of its own, with the calls that the test adds, and a
// client that turns the server's loop while it waits.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include "control/api.h"
#include "control/control_server.h"
#include "http/parser.h"
#include "io/endpoint.h"
#include "support/loop_fixture.h"
#include "support/temp_dir.h"

namespace causeway::control {

class Rig;

class TestClient {
 public:
  TestClient(Rig& rig, UniqueFd fd) : rig_(rig), fd_(std::move(fd)) {}

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      REQUIRE(n > 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void request(std::string_view method, std::string_view target, std::string_view fields = "") {
    send(std::string(method)
             .append(" ")
             .append(target)
             .append(" HTTP/1.1\r\nHost: x\r\n")
             .append(fields) +
         "\r\n");
  }
  // Reads until `done` or the end of the input; false when neither comes.
  template <typename F>
  bool read_until(F done);
  // The answer to what was sent.
  bool answer();
  // Lines of a body in chunks, as many as `count`.
  bool lines(std::size_t count);
  bool closed();

  int status() const { return parser_.head_done() ? parser_.head().status : 0; }
  std::string field(std::string_view name) const {
    return std::string(parser_.head().find(name).value_or(""));
  }
  std::string body;
  bool ended = false;
  void close() { fd_.reset(); }
  // What the kernel holds for us, in at most one read.
  void take_some();
  // All bytes until the server closes, unparsed.
  std::string everything();

 private:
  Rig& rig_;
  UniqueFd fd_;
  http::Parser parser_{http::Kind::response};
};

class Rig : public causeway::test::LoopFixture {
 public:
  explicit Rig(Limits limits = {}, uid_t allowed = ::geteuid()) {
    auto listening = io::listen_unix(path, 0600);
    REQUIRE(listening.ok());
    server =
        std::make_unique<ControlServer>(loop, *std::move(listening), api.calls, limits, allowed);
  }
  ~Rig() { server.reset(); }
  TestClient connect() {
    auto fd = io::connect_unix(path);
    REQUIRE(fd.ok());
    return TestClient(*this, *std::move(fd));
  }

  Api api{loop};
  const causeway::test::TempDir directory;
  const std::string path = directory / "control.sock";
  std::unique_ptr<ControlServer> server;
};

inline void TestClient::take_some() {
  std::array<char, 16384> buffer;
  const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) {
    ended = true;
    return;
  }
  std::string_view bytes(buffer.data(), n < 0 ? 0 : static_cast<std::size_t>(n));
  while (!bytes.empty() && !parser_.complete()) {
    auto taken = parser_.feed(bytes);
    REQUIRE_MESSAGE(taken.ok(), (taken ? "" : taken.error().message));
    body += parser_.body();
    bytes.remove_prefix(*taken);
  }
  CHECK(bytes.empty());
}

inline std::string TestClient::everything() {
  std::string out;
  CHECK(rig_.until([&] {
    std::array<char, 16384> buffer;
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0) out.append(buffer.data(), static_cast<std::size_t>(n));
    return n == 0;
  }));
  return out;
}

template <typename F>
bool TestClient::read_until(F done) {
  return rig_.until([&] {
    if (!ended && !parser_.complete()) take_some();
    return done();
  });
}

inline bool TestClient::answer() {
  parser_.reset();
  body.clear();
  read_until([&] { return parser_.complete() || ended; });
  return parser_.complete();
}

inline bool TestClient::lines(std::size_t count) {
  return read_until([&] {
    std::size_t have = 0;
    for (const char c : body) have += c == '\n' ? 1 : 0;
    return have >= count;
  });
}

inline bool TestClient::closed() {
  parser_.reset();
  return read_until([&] { return ended; });
}

}  // namespace causeway::control
