// A control server on a socket in a directory of its own, over a scripted backend, and a client
// that turns the server's loop while it waits.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "control/control_server.h"
#include "http/parser.h"
#include "io/endpoint.h"
#include "support/loop_fixture.h"
#include "support/temp_dir.h"

namespace causeway::control {

struct ScriptedBackend final : ControlBackend {
  control_api::ProductStatus now;
  std::vector<control_api::LogLine> kept;
  std::string refusal;  // what perform() answers, when not empty
  std::vector<std::string> performed;
  bool last_was_fresh = false;
  control_api::ServiceState behind_command = control_api::ServiceState::starting;

  ScriptedBackend() {
    now.engine = {control_api::EngineState::ready, "", 12};
    now.agent = {"9.8.7", 42, 100, 2, 5'000'000};
    control_api::ServiceStatus containerd;
    containerd.name = "containerd";
    containerd.state = control_api::ServiceState::ready;
    containerd.since = 1'700'000'000;
    containerd.pid = 7;
    containerd.memory_bytes = 1000;
    control_api::ServiceStatus dockerd = containerd;
    dockerd.name = "dockerd";
    dockerd.needs = {"containerd"};
    control_api::ServiceStatus k3s;
    k3s.name = "k3s";
    k3s.reason = "disabled";
    k3s.last_lines = {"one", "two"};
    now.services = {containerd, dockerd, k3s};
    now.sockets = {{"/run/causeway/engine.sock", "Docker API", 3, 1}};
    control_api::DistroStatus ubuntu;
    ubuntu.name = "Ubuntu";
    ubuntu.state = "attached";
    ubuntu.mounts = 3;
    ubuntu.socket = "/run/docker.sock";
    ubuntu.helper = true;
    ubuntu.items = {{"link", "/usr/local/bin/docker", "left_alone", "a file of yours is there"}};
    ubuntu.notes = {"open a new shell"};
    now.distros = {ubuntu};
    now.wanted = {"Debian"};
    now.link = {true, "vsock", 7, 1, 3, {{"vsock", "port 5", "listening", ""}}, "old", 9};
    now.notes = {{true, "careful"}, {false, "by the way"}};
    kept = {{"containerd", "first"}, {"dockerd", "second"}, {"dockerd", "third"}};
  }
  control_api::ServiceStatus& service(std::string_view name) {
    for (auto& candidate : now.services)
      if (candidate.name == name) return candidate;
    std::abort();
  }

  control_api::ProductStatus status() override { return now; }
  bool has_service(std::string_view name) override { return now.find(name) != nullptr; }
  std::vector<control_api::LogLine> logs(std::string_view name, std::size_t tail,
                                         bool fresh) override {
    last_was_fresh = fresh;
    std::deque<control_api::LogLine> out;
    for (const auto& line : kept)
      if (name.empty() || line.service == name) out.push_back(line);
    while (out.size() > tail) out.pop_front();
    return {out.begin(), out.end()};
  }
  Status perform(control_api::Action action, std::string_view name) override {
    if (!refusal.empty()) return make_error(refusal);
    constexpr std::array kNames = {"start ", "stop ", "restart "};
    performed.push_back(kNames.at(static_cast<std::size_t>(action)) + std::string(name));
    service(name).state = behind_command;
    return Ok{};
  }
  control_api::LinkContact link_contact() override {
    return {"00112233445566778899aabbccddeeff", 5, 1};
  }
  Result<control_api::ClockStep> step_clock(std::int64_t unix_ms) override {
    if (!refusal.empty()) return make_error(refusal);
    if (unix_ms == 0) return Error{"1970 can't be meant", EINVAL};
    performed.push_back("clock " + std::to_string(unix_ms));
    return control_api::ClockStep{true, -1500};
  }
  Status enable_distro(std::string_view distro, bool enabled) override {
    if (!refusal.empty()) return make_error(refusal);
    if (distro == "nobody") return Error{"no distro nobody", ENOENT};
    performed.push_back((enabled ? "enable " : "disable ") + std::string(distro));
    return Ok{};
  }
};

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
    server = std::make_unique<ControlServer>(loop, *std::move(listening), backend, limits, allowed);
  }
  ~Rig() { server.reset(); }
  TestClient connect() {
    auto fd = io::connect_unix(path);
    REQUIRE(fd.ok());
    return TestClient(*this, *std::move(fd));
  }

  ScriptedBackend backend;
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
