#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "../support/settle.h"
#include "io/endpoint.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/stream.h"
#include "io/timer.h"

using namespace causeway;
using namespace causeway::io;

namespace {

// Keeps what a Stream tells; optionally destroys the Stream in a callback.
struct Recorder : Stream::Handler {
  std::string data;
  int eofs = 0;
  int drained = 0;
  std::string read_error;
  std::string write_error;
  std::unique_ptr<Stream>* destroy_on_data = nullptr;

  void on_data(std::string_view bytes) override {
    data += bytes;
    if (destroy_on_data != nullptr) destroy_on_data->reset();
  }
  void on_eof() override { ++eofs; }
  void on_drained() override { ++drained; }
  void on_read_error(const Error& error) override { read_error = error.message; }
  void on_write_error(const Error& error) override { write_error = error.message; }
};

struct Pair {
  Loop loop;
  Recorder seen;
  UniqueFd peer;
  std::unique_ptr<Stream> stream;

  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    peer.reset(ends[1]);
    stream = std::make_unique<Stream>(loop, UniqueFd(ends[0]), &seen);
  }
  void send(std::string_view bytes) {
    REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // Turns until `done`, with a bound that only a defect reaches.
  template <typename F>
  bool until(F done) {
    for (int i = 0; i < 100000; ++i) {
      if (done()) return true;
      loop.turn();
    }
    return done();
  }
  std::string receive(std::size_t limit = 1 << 20) {
    std::string out(limit, '\0');
    const ssize_t n = ::recv(peer.get(), out.data(), out.size(), MSG_DONTWAIT);
    out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return out;
  }
};

}  // namespace

TEST_CASE("io/stream: bytes, then EOF, once each; writing goes on after the peer's half-close") {
  Pair p;
  p.stream->resume(Stream::not_started);
  p.send("hello");
  ::shutdown(p.peer.get(), SHUT_WR);
  CHECK(p.until([&] { return p.seen.eofs == 1; }));
  CHECK(p.seen.data == "hello");
  p.stream->write("answer");
  CHECK(p.receive() == "answer");
  causeway::test::settle(p.loop);
  CHECK(p.seen.eofs == 1);
}

TEST_CASE("io/stream: two reasons to pause do not cancel each other") {
  Pair p;
  p.stream->resume(Stream::not_started);
  p.stream->pause(Stream::backlog);
  p.stream->pause(Stream::ahead);
  p.send("x");
  p.stream->resume(Stream::backlog);
  causeway::test::settle(p.loop);
  CHECK(p.seen.data.empty());
  p.stream->resume(Stream::ahead);
  CHECK(p.until([&] { return p.seen.data == "x"; }));
}

TEST_CASE("io/stream: a new owner resumes it, whatever it was paused for") {
  Pair p;
  for (const auto reason : {Stream::backlog, Stream::ahead, Stream::waiting, Stream::finished})
    p.stream->pause(reason);
  p.send("x");
  p.stream->resume_all();
  CHECK_FALSE(p.stream->paused());
  CHECK(p.until([&] { return p.seen.data == "x"; }));
}

TEST_CASE("io/stream: a slow reader gets every byte, then on_drained, then FIN") {
  Pair p;
  std::string sent;
  for (int i = 0; i < 300000; ++i) sent += std::to_string(i);
  p.stream->write(std::string_view(sent).substr(0, 1000), std::string_view(sent).substr(1000));
  CHECK(p.stream->queued() > 0);
  p.stream->shutdown_write();
  std::string got;
  CHECK(p.until([&] {
    got += p.receive(10000);
    return got.size() == sent.size();
  }));
  CHECK(got == sent);
  CHECK(p.until([&] { return p.seen.drained == 1; }));
  char byte = 0;
  CHECK(::recv(p.peer.get(), &byte, 1, MSG_DONTWAIT) == 0);
}

TEST_CASE(
    "io/stream: a client that goes away is told while reading is paused and bytes are unread") {
  Pair p;
  p.stream->resume(Stream::not_started);
  p.stream->watch_hangup(true);
  p.stream->pause(Stream::ahead);
  p.send("unread");
  p.peer.reset();
  CHECK(p.until([&] { return !p.seen.read_error.empty(); }));
  CHECK(p.seen.data.empty());
}

TEST_CASE("io/stream: a half-close is no hang-up, a later close is, and neither spins") {
  Pair p;
  p.stream->resume(Stream::not_started);
  p.stream->watch_hangup(true);
  p.stream->pause(Stream::ahead);
  ::shutdown(p.peer.get(), SHUT_WR);
  causeway::test::settle(p.loop);
  CHECK(p.seen.read_error.empty());
  p.stream->resume(Stream::ahead);
  CHECK(p.until([&] { return p.seen.eofs == 1; }));
  p.peer.reset();
  CHECK(p.until([&] { return !p.seen.read_error.empty(); }));
}

TEST_CASE(
    "io/stream: what the engine sent before it closed is read to the end, also after a pause") {
  Pair p;
  p.stream->resume(Stream::not_started);
  p.stream->pause(Stream::backlog);
  p.send("last words");
  p.stream->write("never read");  // unread data at the peer's close makes it a reset
  p.peer.reset();
  causeway::test::settle(p.loop);
  CHECK(p.seen.data.empty());
  p.stream->resume(Stream::backlog);
  CHECK(p.until([&] { return p.seen.eofs == 1 || !p.seen.read_error.empty(); }));
  CHECK(p.seen.data == "last words");
}

TEST_CASE("io/stream: writing to a peer that is gone is told once, in a later turn") {
  Pair p;
  p.peer.reset();
  p.stream->write("x");
  CHECK(p.seen.write_error.empty());
  CHECK(p.until([&] { return !p.seen.write_error.empty(); }));
  p.stream->write("ignored");
  CHECK(p.stream->queued() == 0);
}

TEST_CASE("io/stream: may be destroyed in its own callback") {
  Pair p;
  p.seen.destroy_on_data = &p.stream;
  p.stream->resume(Stream::not_started);
  p.send("x");
  CHECK(p.until([&] { return p.stream == nullptr; }));
  CHECK(p.seen.data == "x");
}

TEST_CASE("io/stream: release hands over the descriptor and what was not sent") {
  Pair p;
  const std::string sent(4 << 20, 'y');
  p.stream->write(sent);
  const std::size_t queued = p.stream->queued();
  REQUIRE(queued > 0);
  std::string unsent;
  const UniqueFd fd = p.stream->release(&unsent);
  CHECK(unsent.size() == queued);
  CHECK(::fcntl(fd.get(), F_GETFD) >= 0);
}

TEST_CASE("io/timer: fires once, can be restarted and destroyed by its callback") {
  Loop loop;
  auto timer = std::make_unique<Timer>(loop);
  int fired = 0;
  timer->start(0, [&] {
    ++fired;
    timer->start(0, [&] {
      ++fired;
      timer.reset();
    });
  });
  loop.run();
  CHECK(fired == 2);
}

TEST_CASE("io/loop: deferred tasks run in order, and one deferred by a task runs later") {
  Loop loop;
  std::string order;
  loop.defer([&] {
    order += "a";
    loop.defer([&] { order += "c"; });
  });
  loop.defer([&] { order += "b"; });
  loop.run();
  CHECK(order == "abc");
}

TEST_CASE("io/listener: accepts, pauses, and is destroyed by its callback") {
  std::array<char, 32> name{"/tmp/causeway-io-XXXXXX"};
  const std::string directory = ::mkdtemp(name.data());
  const std::string path = directory + "/s";
  Loop loop;
  auto listening = listen_unix(path, 0600);
  REQUIRE(listening.ok());
  int accepted = 0;
  std::unique_ptr<Listener> listener;
  listener = std::make_unique<Listener>(loop, std::move(*listening), [&](UniqueFd fd) {
    ++accepted;
    auto peer = peer_of(fd.get());
    REQUIRE(peer.ok());
    CHECK(peer->pid == ::getpid());
    if (accepted == 2) listener.reset();
  });
  listener->pause();
  const auto first = connect_unix(path);
  REQUIRE(first.ok());
  causeway::test::settle(loop);
  CHECK(accepted == 0);
  listener->resume();
  const auto second = connect_unix(path);
  REQUIRE(second.ok());
  for (int i = 0; i < 100 && listener; ++i) loop.turn();
  CHECK(accepted == 2);
  CHECK_FALSE(connect_unix(path).ok());
  ::unlink(path.c_str());
  ::rmdir(directory.c_str());
}

TEST_CASE("io/endpoint: a path that is too long or missing is an error that names it") {
  CHECK(listen_unix(std::string(108, 'x'), 0600).error().message.find("107") != std::string::npos);
  CHECK(connect_unix("/nowhere/sock").error().message.find("/nowhere/sock") != std::string::npos);
}

TEST_CASE("io/path_watch: sees a file come in a directory that did not exist yet") {
  std::array<char, 32> name{"/tmp/causeway-io-XXXXXX"};
  const std::string directory = ::mkdtemp(name.data());
  const std::string path = directory + "/sub/file";
  Loop loop;
  bool there = false;
  auto watch = PathWatch::start(loop, path, [&] { there = ::access(path.c_str(), F_OK) == 0; });
  REQUIRE(watch.ok());
  REQUIRE(::mkdir((directory + "/sub").c_str(), 0700) == 0);
  causeway::test::settle(loop);
  CHECK_FALSE(there);
  const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  for (int i = 0; i < 1000 && !there; ++i) loop.turn();
  CHECK(there);
  CHECK_FALSE(PathWatch::start(loop, "relative", [] {}).ok());
  ::unlink(path.c_str());
  ::rmdir((directory + "/sub").c_str());
  ::rmdir(directory.c_str());
}

TEST_CASE("io/listener: one whose socket has died says so once, and doesn't spin") {
  std::string path = "/tmp/causeway-listener-XXXXXX";
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  for (const bool told : {true, false}) {
    CAPTURE(told);
    Loop loop;
    auto fd = listen_unix(path + "/sock", 0600);
    REQUIRE(fd.ok());
    const int raw = fd->get();
    std::vector<std::string> died;
    Listener listener(
        loop, *std::move(fd), [](UniqueFd) {},
        told ? [&](const Error& error) { died.push_back(error.message); }
             : std::function<void(const Error&)>());
    loop.turn();
    ::shutdown(raw, SHUT_RDWR);
    causeway::test::settle(loop);
    CHECK(died.size() == (told ? 1U : 0U));
    // A loop that spins returns from each turn at once; this one waits for its timer.
    Timer timer(loop);
    timer.start(20, [&] { loop.stop(); });
    const std::clock_t before = std::clock();
    loop.run();
    CHECK(std::clock() - before < CLOCKS_PER_SEC / 100);
  }
  ::unlink((path + "/sock").c_str());
  ::rmdir(path.c_str());
}
