// A link server on a socket of its own, a served side that the test plays, and the Windows side,
// which the test plays with a yamux of its own; all on one thread.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/endpoint.h"
#include "io/loop.h"
#include "link/link_server.h"
#include "support/loop_fixture.h"
#include "support/temp_dir.h"

namespace causeway::link::test {

inline wire::Nonce nonce_of(std::uint8_t first) {
  wire::Nonce out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}
inline const wire::Nonce kAgents = nonce_of(1);
inline const wire::Nonce kShims = nonce_of(100);

// A stream as the served side sees it.
struct Served : io::ByteStream::Handler {
  void on_data(std::string_view bytes) override {
    data += bytes;
    largest = std::max(largest, bytes.size());
    log += "d";
    if (destroy_on_data) stream.reset();
  }
  void on_eof() override { log += "e"; }
  void on_drained() override { ++drained; }
  void on_read_error(const Error& error) override {
    log += error.code == ECONNABORTED ? "a" : "c";
    if (destroy_on_end) stream.reset();
  }
  void on_write_error(const Error&) override { log += "w"; }

  wire::Channel channel{};
  std::string data;
  std::string log;  // d data, e eof, c closed, a aborted, w write error
  std::size_t largest = 0;
  int drained = 0;
  bool destroy_on_data = false;
  bool destroy_on_end = true;
  std::unique_ptr<io::ByteStream> stream;
};

class Rig;

// The Windows side, over one connection.
class Windows : public wire::Yamux::Handler {
 public:
  using Id = wire::Yamux::StreamId;

  Windows(Rig& rig, UniqueFd fd) : rig_(rig), fd_(std::move(fd)) {}

  // The hello as it should be, and the agent's answer.
  void greet();
  void send(std::string_view bytes) {
    REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void say_hello(wire::Nonce expected = kAgents, std::uint16_t major = wire::kMajor) {
    wire::Hello hello;
    hello.major = major;
    hello.nonce = kShims;
    hello.expected = expected;
    send(wire::encode(hello));
  }
  // What has arrived, after everything moved.
  std::string take();
  // Sends the output of our yamux and feeds it what comes, until nothing moves.
  void settle();
  Id open(wire::Channel channel, std::string_view more = {}) {
    const Id id = yamux.open();
    yamux.write(id, std::string(1, static_cast<char>(channel)).append(more));
    return id;
  }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

  void on_open(Id id) override { opened.push_back(id); }
  void on_data(Id id, std::string_view bytes) override {
    data[id] += bytes;
    if (consume) yamux.consumed(id, bytes.size());
  }
  void on_eof(Id id) override { log[id] += "e"; }
  void on_end(Id id, wire::Yamux::End how) override {
    log[id] += how == wire::Yamux::End::closed ? "c" : "a";
  }
  void on_drained(Id) override {}
  void on_pong(std::uint32_t value) override { pongs.push_back(value); }
  void on_go_away(wire::Yamux::GoAway) override { farewell = true; }

  bool eof = false;
  int packets = 0;
  bool consume = true;
  bool farewell = false;
  std::vector<Id> opened;
  std::vector<std::uint32_t> pongs;
  std::map<Id, std::string> data;
  std::map<Id, std::string> log;
  wire::Yamux yamux{wire::Yamux::Side::client, {}, *this};

 private:
  Rig& rig_;
  UniqueFd fd_;
};

class Rig : public causeway::test::LoopFixture {
 public:
  // Packets keep their borders: so the test sees what one send was.
  explicit Rig(LinkServer::Options options = {}) {
    options.session.nonce = kAgents;
    LinkServer::Handler handler;
    handler.serve = [this](wire::Channel channel, std::unique_ptr<io::ByteStream> stream) {
      if (refuse) return stream;
      served.emplace_back();
      served.back().channel = channel;
      served.back().stream = std::move(stream);
      served.back().stream->set_handler(&served.back());
      served.back().stream->watch_hangup(watch);
      if (start) served.back().stream->resume(io::ByteStream::not_started);
      return std::unique_ptr<io::ByteStream>();
    };
    handler.connected = [this] { ++connected; };
    handler.changed = [this] { ++changed; };
    server = std::make_unique<LinkServer>(loop, options, std::move(handler));
    Endpoint endpoint;
    endpoint.transport = "unix";
    endpoint.may_be_silent = true;
    endpoint.address = path;
    endpoint.listen = [this]() -> Result<UniqueFd> {
      ++listens;
      if (!broken.empty()) return make_error(broken);
      UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      ::unlink(path.c_str());
      REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
      REQUIRE(::listen(fd.get(), 32) == 0);
      listening = fd.get();
      return fd;
    };
    endpoint.admit = [this](int) -> Status {
      if (!stranger.empty()) return make_error(stranger);
      return Ok{};
    };
    server->listen(std::move(endpoint));
  }
  ~Rig() { server.reset(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  Windows connect() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    return Windows(*this, std::move(fd));
  }

  const causeway::test::TempDir directory;
  const std::string path = directory / "link.sock";
  bool refuse = false;
  bool watch = true;
  bool start = true;
  std::string broken;    // why nothing can listen
  std::string stranger;  // why peers aren't admitted
  int listens = 0;
  int listening = -1;
  int connected = 0;
  int changed = 0;
  std::deque<Served> served;  // their streams end with the server, and they stay
  std::unique_ptr<LinkServer> server;
};

inline std::string Windows::take() {
  rig_.settle();
  std::string out;
  std::vector<char> buffer(1 << 18);
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) eof = true;
    if (n <= 0) return out;
    ++packets;
    out.append(buffer.data(), static_cast<std::size_t>(n));
    rig_.settle();
  }
}

inline void Windows::settle() {
  std::vector<char> buffer(1 << 16);  // a packet that is larger than a read would be cut
  for (;;) {
    bool moved = false;
    if (const std::size_t n = yamux.take_output(buffer.data(), buffer.size())) {
      moved = true;
      if (fd_) send({buffer.data(), n});
    }
    if (const std::string in = fd_ ? take() : std::string(); !in.empty()) {
      moved = true;
      const auto done = yamux.receive(in);
      CHECK(done.ok());
    }
    if (!moved) return;
  }
}

inline void Windows::greet() {
  say_hello();
  const std::string answer = take();
  wire::HelloReader reader(wire::Role::agent);
  std::string_view in = answer;
  const auto hello = reader.take(in);
  REQUIRE(hello.ok());
  REQUIRE(hello->has_value());
  CHECK((*hello)->refusal.empty());
  CHECK((*hello)->nonce == kAgents);
  CHECK((*hello)->expected == kShims);
  CHECK(in.empty());
}

// The text of the refusal in `bytes`.
inline std::string refusal_in(const std::string& bytes) {
  wire::HelloReader reader(wire::Role::agent);
  std::string_view in = bytes;
  const auto hello = reader.take(in);
  REQUIRE(hello.ok());
  REQUIRE(hello->has_value());
  CHECK((*hello)->nonce == wire::Nonce{});  // told to nobody who doesn't know it
  return (*hello)->refusal;
}

}  // namespace causeway::link::test
