#include "handover/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../support/settle.h"
#include "io/loop.h"

using namespace causeway;
using namespace causeway::handover;

namespace {

std::array<UniqueFd, 2> socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd some_file() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

// A channel, and what it told.
struct End {
  End(io::Loop& loop, UniqueFd fd)
      : channel(std::make_unique<Channel>(
            loop, std::move(fd),
            [this](Message message) {
              got.push_back(std::move(message));
              if (on_message) on_message();
            },
            [this](Error error) { closed.push_back(error.message); })) {}

  std::vector<Message> got;
  std::vector<std::string> closed;
  std::function<void()> on_message;
  std::unique_ptr<Channel> channel;
};

// A channel whose other end the test holds as a bare socket.
struct Bare {
  Bare() : pair(socket_pair()), end(loop, std::move(pair[0])), peer(std::move(pair[1])) {}

  void send(std::string_view text, const std::vector<int>& fds = {}) const {
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    REQUIRE(::sendmsg(peer.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  // What is there, at most one message; "end" for the peer's end. The reset that the kernel reports
  // when something of ours stayed unread comes before what is there to read.
  std::string receive() const {
    std::string text(kMaxDatagram, 0);
    ssize_t n = ::recv(peer.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (n < 0 && errno == ECONNRESET)
      n = ::recv(peer.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? "nothing" : std::strerror(errno);
    return n == 0 ? "end" : text.substr(0, static_cast<std::size_t>(n));
  }
  void settle() { causeway::test::settle(loop); }

  io::Loop loop;
  std::array<UniqueFd, 2> pair;
  End end;
  UniqueFd peer;
};

}  // namespace

TEST_CASE("handover/channel: messages and their descriptors arrive in order") {
  io::Loop loop;
  auto pair = socket_pair();
  End helper(loop, std::move(pair[0]));
  End agent(loop, std::move(pair[1]));
  const auto file = some_file();
  helper.channel->send({Hello{1, "D", "0", {}}, UniqueFd(::dup(file.get()))});
  helper.channel->send({Mount{"/", "8:1", "/", "ext4"}, UniqueFd(::dup(file.get()))});
  helper.channel->send({MountsDone{}, UniqueFd()});
  agent.channel->send({Welcome{}, UniqueFd()});
  causeway::test::settle(loop);
  REQUIRE(agent.got.size() == 3);
  CHECK(type_name(agent.got[0].body) == "hello");
  CHECK(type_name(agent.got[1].body) == "mount");
  CHECK(type_name(agent.got[2].body) == "mounts_done");
  REQUIRE(helper.got.size() == 1);
  struct stat sent {};
  struct stat received {};
  REQUIRE(::fstat(file.get(), &sent) == 0);
  REQUIRE(::fstat(agent.got[1].fd.get(), &received) == 0);
  CHECK(sent.st_rdev == received.st_rdev);
  CHECK((::fcntl(agent.got[1].fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK_FALSE(agent.got[2].fd);
  CHECK(agent.closed.empty());
}

TEST_CASE("handover/channel: what breaks the protocol ends the channel, without leaking") {
  const std::string mount =
      R"({"type":"mount","point":"/","device":"8:1","root":"/","fs_type":"ext4"})";
  struct Case {
    const char* name;
    std::string text;
    std::size_t fds;
    const char* expected;
  };
  const auto file = some_file();
  for (const auto& c : std::vector<Case>{
           {"garbage", "\x80garbage", 0, "a message that is no JSON: "},
           {"garbage with a descriptor", "\x80garbage", 1, "a message that is no JSON: "},
           {"too large", std::string(kMaxDatagram + 1, ' '), 0, "a message that is too large"},
           {"too large with a descriptor", std::string(kMaxDatagram + 1, ' '), 1,
            "a message that is too large"},
           {"no descriptor", mount, 0, "a message mount without its descriptor"},
           {"two descriptors", mount, 2, "a message with too many descriptors"},
           {"more than there is room for", mount, 200, "a message with too many descriptors"},
           {"one where none belongs", R"({"type":"removed"})", 1,
            "a message removed with a descriptor"},
       }) {
    CAPTURE(c.name);
    const std::size_t before = open_descriptors();
    {
      Bare bare;
      bare.send(c.text, std::vector<int>(c.fds, file.get()));
      bare.send(R"({"type":"removed"})");  // never told
      bare.settle();
      REQUIRE(bare.end.closed.size() == 1);
      CHECK_MESSAGE(bare.end.closed[0].starts_with(c.expected), bare.end.closed[0]);
      CHECK(bare.end.got.empty());
      CHECK(bare.receive() == "end");
    }
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("handover/channel: a message of exactly the largest size is taken") {
  Bare bare;
  std::string text = R"({"type":"refused","remove":false,"reason":""})";
  text.insert(text.size() - 2, std::string(kMaxDatagram - text.size(), 'x'));
  bare.send(text);
  bare.settle();
  CHECK(bare.end.got.size() == 1);
  CHECK(bare.end.closed.empty());
}

TEST_CASE("handover/channel: the peer's end is told once, behind what it had sent") {
  Bare bare;
  bare.send(R"({"type":"refused","reason":"no","remove":false})");
  bare.peer.reset();
  bare.settle();
  CHECK(bare.end.got.size() == 1);
  CHECK(bare.end.closed == std::vector<std::string>{"the other side closed"});
  bare.end.channel->send({Removed{}, UniqueFd()});  // ignored
  bare.settle();
  CHECK(bare.end.closed.size() == 1);
}

TEST_CASE("handover/channel: a refusal is read also by one that was still sending") {
  Bare bare;
  bare.end.channel->send({Removed{}, UniqueFd()});  // stays unread: the kernel reports a reset
  bare.send(R"({"type":"refused","reason":"no","remove":false})");
  bare.peer.reset();
  bare.end.channel->send({Removed{}, UniqueFd()});  // fails: nobody is there
  CHECK(bare.end.closed.empty());                   // not from within a call
  bare.settle();
  REQUIRE(bare.end.got.size() == 1);
  CHECK(type_name(bare.end.got[0].body) == "refused");
  CHECK(bare.end.closed == std::vector<std::string>{"the other side closed"});
}

TEST_CASE("handover/channel: what the peer doesn't take waits, up to a bound") {
  Bare bare;
  std::size_t sent = 0;
  while (bare.end.channel->queued() == 0) {
    bare.end.channel->send({Unmounted{"/" + std::to_string(sent++)}, UniqueFd()});
    REQUIRE(sent < 100'000);
  }
  for (int i = 0; i < 100; ++i)
    bare.end.channel->send({Unmounted{"/" + std::to_string(sent++)}, UniqueFd()});
  CHECK(bare.end.channel->queued() == 101);
  std::size_t got = 0;
  for (;;) {
    const auto text = bare.receive();
    if (text == "nothing") {
      if (bare.end.channel->queued() == 0) break;
      bare.loop.turn();
      continue;
    }
    REQUIRE(text == R"({"type":"unmounted","point":"/)" + std::to_string(got++) + "\"}");
  }
  CHECK(got == sent);

  while (bare.end.channel->queued() < Channel::kMaxQueued)
    bare.end.channel->send({Unmounted{"/x"}, UniqueFd()});
  bare.settle();
  CHECK(bare.end.closed.empty());
  bare.end.channel->send({Unmounted{"/x"}, UniqueFd()});
  bare.settle();
  CHECK(bare.end.closed == std::vector<std::string>{"send unmounted: the other side doesn't read"});
}

TEST_CASE("handover/channel: the queue is bounded in bytes too") {
  Bare bare;
  for (int i = 0; i < 400 && bare.end.closed.empty(); ++i) {
    bare.end.channel->send({Refused{std::string(60'000, 'x'), false}, UniqueFd()});
    bare.loop.turn();
  }
  CHECK(bare.end.closed == std::vector<std::string>{"send refused: the other side doesn't read"});
}

TEST_CASE("handover/channel: closing waits for what is queued") {
  for (const bool full : {false, true}) {
    CAPTURE(full);
    Bare bare;
    while (full && bare.end.channel->queued() == 0)
      bare.end.channel->send({Unmounted{"/x"}, UniqueFd()});
    bare.end.channel->send({Refused{"no", true}, UniqueFd()});
    bare.send(R"({"type":"removed"})");  // not read any more
    bare.end.channel->close_when_sent();
    std::string last;
    for (std::string text = bare.receive(); text != "end"; text = bare.receive()) {
      if (text != "nothing") last = text;
      bare.loop.turn();
    }
    CHECK(last == R"({"type":"refused","reason":"no","remove":true})");
    bare.settle();
    CHECK(bare.end.got.empty());
    CHECK(bare.end.closed == std::vector<std::string>{"closed"});
  }
}

TEST_CASE("handover/channel: one that waits to close ends when the peer goes") {
  Bare bare;
  while (bare.end.channel->queued() == 0) bare.end.channel->send({Unmounted{"/x"}, UniqueFd()});
  bare.end.channel->close_when_sent();
  bare.settle();
  CHECK(bare.end.closed.empty());
  bare.peer.reset();
  bare.settle();
  CHECK(bare.end.closed == std::vector<std::string>{"closed"});
}

TEST_CASE("handover/channel: a message that can't be sent ends it") {
  struct Case {
    const char* name;
    Body body;
    bool descriptor;
    const char* expected;
  };
  for (const auto& c : std::vector<Case>{
           {"no descriptor", Tools{}, false, "send tools: the descriptor is missing, or one too m"},
           {"a descriptor", Removed{}, true, "send removed: the descriptor is missing, or one too"},
           {"too large", Refused{std::string(kMaxDatagram, 'x'), false}, false,
            "send: the message refused has "},
       }) {
    CAPTURE(c.name);
    Bare bare;
    bare.end.channel->send({c.body, c.descriptor ? some_file() : UniqueFd()});
    CHECK(bare.end.closed.empty());
    bare.settle();
    REQUIRE(bare.end.closed.size() == 1);
    CHECK_MESSAGE(bare.end.closed[0].starts_with(c.expected), bare.end.closed[0]);
  }
}

TEST_CASE("handover/channel: it may be destroyed in its callbacks and while something is queued") {
  Bare bare;
  bare.send(R"({"type":"removed"})");
  bare.send(R"({"type":"removed"})");
  bare.end.on_message = [&] { bare.end.channel.reset(); };
  bare.settle();
  CHECK(bare.end.got.size() == 1);
  CHECK(bare.end.closed.empty());

  Bare ended;
  ended.peer.reset();
  std::unique_ptr<Channel> channel;
  auto pair = socket_pair();
  pair[1].reset();
  bool told = false;
  channel = std::make_unique<Channel>(
      ended.loop, std::move(pair[0]), [](Message) {},
      [&](const Error&) {
        channel.reset();
        told = true;
      });
  ended.settle();
  CHECK(told);

  Bare full;
  while (full.end.channel->queued() < 10) full.end.channel->send({Tools{}, some_file()});
  full.end.channel.reset();
  full.settle();
}
