#include "attach/transport_pump.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"

using namespace causeway;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

std::string read_all(int fd) {
  std::string out;
  std::array<char, 5000> part{};
  for (ssize_t n = 0; (n = ::read(fd, part.data(), part.size())) > 0;)
    out.append(part.data(), static_cast<std::size_t>(n));
  return out;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

// Our program's input, output and socket, and the carrying in a thread of its own.
struct Rig {
  Rig() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    socket.reset(ends[0]);
    peer.reset(ends[1]);
    thread = std::thread([this] {
      auto done = attach::carry(input.out.get(), output.in.get(), socket.get());
      result = done ? "done" : done.error().message;
      output.in.reset();
    });
  }
  ~Rig() {
    if (thread.joinable()) thread.join();
  }
  Pipe input;
  Pipe output;
  UniqueFd socket;
  UniqueFd peer;
  std::string result;
  std::thread thread;
};

}  // namespace

TEST_CASE("attach/transport_pump: bytes and ends of both directions, whatever comes first") {
  Rig rig;
  const std::string up = pattern(700'000);
  const std::string down = pattern(900'001);
  std::thread feeder([&] {
    CHECK(file::write_all(rig.input.in.get(), up).ok());
    rig.input.in.reset();
  });
  std::thread answers([&] {
    const std::string got = read_all(rig.peer.get());  // to the half-close
    CHECK(got == up);
    CHECK(file::write_all(rig.peer.get(), down).ok());
    rig.peer.reset();
  });
  CHECK(read_all(rig.output.out.get()) == down);
  feeder.join();
  answers.join();
  rig.thread.join();
  CHECK(rig.result == "done");
}

TEST_CASE("attach/transport_pump: the socket's end ends it, though the input goes on") {
  Rig rig;
  CHECK(file::write_all(rig.peer.get(), "last words").ok());
  rig.peer.reset();
  CHECK(read_all(rig.output.out.get()) == "last words");
  rig.thread.join();
  CHECK(rig.result == "done");
}

TEST_CASE("attach/transport_pump: an output that nobody reads ends it") {
  Rig rig;
  rig.output.out.reset();
  CHECK(file::write_all(rig.peer.get(), "x").ok());
  rig.thread.join();
  CHECK(rig.result == "write: Broken pipe");
}
