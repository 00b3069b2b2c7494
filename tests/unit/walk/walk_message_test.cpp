#include "walk/walk_message.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>

using namespace causeway;
using walk::Kind;
using walk::Message;

namespace {

struct Pair {
  explicit Pair(int type = SOCK_SEQPACKET) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
    a.reset(ends[0]);
    b.reset(ends[1]);
  }
  UniqueFd a;
  UniqueFd b;
};

}  // namespace

TEST_CASE("walk/walk_message: each kind arrives as it was sent") {
  const Pair pair;
  const std::string longest = "/" + std::string(PATH_MAX - 1, 'x');
  for (const Kind kind : {Kind::open, Kind::resolve, Kind::drop, Kind::go, Kind::stop, Kind::enter,
                          Kind::opened, Kind::resolved, Kind::dropped, Kind::failed}) {
    CAPTURE(static_cast<char>(kind));
    Message sent{kind, -7, longest, {}};
    if (walk::has_descriptor(kind)) sent.fd.reset(::open("/dev/null", O_PATH | O_CLOEXEC));
    REQUIRE(walk::send(pair.a.get(), sent));
    const auto got = walk::receive(pair.b.get(), true);
    REQUIRE_MESSAGE(got, (got ? "" : got.error().message));
    CHECK(got->kind == kind);
    CHECK(got->number == -7);
    CHECK(got->text == longest);
    REQUIRE(static_cast<bool>(got->fd) == walk::has_descriptor(kind));
    if (!got->fd) continue;
    struct stat info {};
    CHECK(::fstat(got->fd.get(), &info) == 0);
    CHECK(S_ISCHR(info.st_mode));
    CHECK((::fcntl(got->fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(walk::receive(pair.b.get(), true).error().code == EAGAIN);
}

TEST_CASE("walk/walk_message: what makes no sense is an error, and so is the end") {
  Pair pair;
  const auto raw = [&](std::string_view bytes) {
    REQUIRE(::send(pair.a.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
    return walk::receive(pair.b.get(), true);
  };
  CHECK_FALSE(raw("g"));                                       // too short
  CHECK_FALSE(raw(std::string_view("?\0\0\0\0", 5)));          // no kind of ours
  CHECK_FALSE(raw(std::string_view("O\0\0\0\0", 5)));          // a descriptor is missing
  CHECK_FALSE(raw(std::string(std::size_t{32} * 1024, 'g')));  // longer than any
  CHECK(raw(std::string_view("g\0\0\0\0", 5)));
  pair.a.reset();
  CHECK(walk::receive(pair.b.get(), false).error().code == EPIPE);
  CHECK_FALSE(walk::send(pair.b.get(), {Kind::go}));
}

TEST_CASE("walk/walk_message: a full queue is an error and no wait") {
  const Pair pair;
  Status sent = Ok{};
  for (int i = 0; i < 100'000 && sent; ++i)
    sent = walk::send(pair.a.get(), {Kind::resolved, 0, std::string(PATH_MAX, 'x')});
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code == EAGAIN);
}
