#include "shares/walker.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "handover/resolve.h"
#include "mounts/mount_calls.h"
#include "support/forked_walk.h"
#include "support/loop_fixture.h"
#include "support/sandbox.h"

using namespace causeway;
using namespace causeway::shares;
using namespace causeway::shares::testing;
using walk::Kind;
namespace fs = std::filesystem;

namespace {

const auto needs_mounts = doctest::skip(!can_mount());

constexpr std::uint64_t kLong = 60'000;  // no test waits for it

struct Fixture : causeway::test::LoopFixture {
  explicit Fixture(StartWalk start = causeway::test::start_forked_walk)
      : walker(loop, reaper, {share, std::move(start)}, [this] { ++changes; }) {
    make_tmpfs(share + "/mnt/nas");
    for (const char* folder : {"/home/dev/p", "/mnt/nas/a"}) fs::create_directories(share + folder);
    fs::create_symlink("/home/dev/p", share + "/home/dev/link");
    fs::create_symlink("/../../mnt/nas", share + "/home/dev/nas");
    fs::create_symlink("/nowhere", share + "/home/dev/dangling");
  }
  // The answer of open(), as soon as it is there.
  struct Answer {
    std::optional<Result<UniqueFd>> got;
    bool failed_with(int code) const { return got && !*got && got->error().code == code; }
  };
  std::shared_ptr<Answer> open(const std::string& path, std::uint64_t timeout_ms = kLong) {
    auto answer = std::make_shared<Answer>();
    walker.open(path, timeout_ms,
                [answer](Result<UniqueFd> opened) { answer->got.emplace(std::move(opened)); });
    CHECK_FALSE(answer->got);  // never from within
    return answer;
  }
  int mount_at(const std::string& path) const {
    struct statx info {};
    REQUIRE(::statx(AT_FDCWD, (share + path).c_str(), 0, STATX_MNT_ID, &info) == 0);
    return static_cast<int>(info.stx_mnt_id);
  }

  Sandbox sandbox;
  std::string share = sandbox.folder("share");
  process::Reaper reaper{loop};
  int changes = 0;
  Walker walker;
};

// A walker whose processes the test speaks for. No question is answered by the cache: the paths are
// not there, and a tmpfs keeps no word of that.
struct Scripted {
  causeway::test::ScriptedWalks walks;
  Fixture fixture{[this](int socket) { return walks.start(socket); }};

  // A question that a process has, and has asked to enter that mount for.
  std::shared_ptr<Fixture::Answer> inside(std::size_t process, int mount,
                                          std::uint64_t timeout_ms = kLong) {
    auto answer = fixture.open("/missing" + std::to_string(++asked), timeout_ms);
    enter(process, mount);
    return answer;
  }
  void enter(std::size_t process, int mount) {
    REQUIRE(fixture.until([&] { return walks.ends.size() > process; }));
    fixture.settle();
    CHECK(walks.heard(process).kind == Kind::open);
    walks.say(process, {Kind::enter, mount});
    fixture.settle();
  }
  int asked = 0;
};

}  // namespace

TEST_CASE("shares/walker: what the cache knows needs no process" * needs_mounts) {
  Fixture f;
  const auto plain = f.open("/home/dev/p");
  const auto by_link = f.open("/home/dev/link");
  const auto mount = f.open("/home/dev/nas/a");
  f.settle();
  for (const auto& answer : {plain, by_link, mount}) REQUIRE((answer->got && *answer->got));
  struct stat expected {};
  struct stat got {};
  REQUIRE(::stat((f.share + "/home/dev/p").c_str(), &expected) == 0);
  REQUIRE(::fstat((*by_link->got)->get(), &got) == 0);
  CHECK(got.st_ino == expected.st_ino);
  CHECK((::fcntl((*plain->got)->get(), F_GETFL) & O_PATH) != 0);
  CHECK(f.walker.processes() == 0);
}

TEST_CASE("shares/walker: a process says what the kernel says of the rest" * needs_mounts) {
  Fixture f;
  const auto missing = f.open("/home/dev/missing");
  const auto dangling = f.open("/home/dev/dangling");
  REQUIRE(f.until([&] { return missing->got && dangling->got; }));
  CHECK(missing->failed_with(ENOENT));
  CHECK(dangling->failed_with(ENOENT));
  CHECK(f.walker.processes() > 0);
  CHECK(f.walker.hanging().empty());
}

TEST_CASE("shares/walker: paths are resolved as by the helper" * needs_mounts) {
  Fixture f;
  const UniqueFd root(::open(f.share.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const char* path : {"/home/dev/p", "/home/dev/link/x/y", "/home/dev/nas",
                           "/home/dev/dangling", "/home/dev/../dev/nas/a", "/missing", "/"}) {
    CAPTURE(path);
    std::optional<Result<std::string>> got;
    f.walker.resolve(path, kLong,
                     [&](Result<std::string> answer) { got.emplace(std::move(answer)); });
    CHECK_FALSE(got);
    REQUIRE(f.until([&] { return got.has_value(); }));
    const auto expected = handover::resolve_path(root.get(), path);
    REQUIRE(got->ok() == expected.ok());
    if (expected)
      CHECK(**got == *expected);
    else
      CHECK(got->error().message == expected.error().message);
  }
}

TEST_CASE("shares/walker: one at a time is in a mount, and the others wait outside" *
          needs_mounts) {
  Scripted s;
  const auto first = s.inside(0, 70);
  CHECK(s.walks.heard(0).kind == Kind::go);
  const auto second = s.inside(1, 70);
  CHECK(s.walks.heard(1).kind == Kind::stop);
  const auto elsewhere = s.inside(1, 71);  // by the process that is free again
  CHECK(s.walks.heard(1).kind == Kind::go);
  s.walks.say(1, {Kind::failed, ENOENT, "no such file"});
  s.fixture.settle();
  CHECK(elsewhere->failed_with(ENOENT));
  CHECK_FALSE(second->got);

  s.walks.say(0, {Kind::failed, ENOTDIR, "no directory"});
  s.fixture.settle();
  CHECK(first->failed_with(ENOTDIR));
  // Any of the two that are free.
  const std::size_t again = s.walks.heard(0).kind == Kind::open ? 0 : 1;
  s.walks.say(again, {Kind::enter, 70});
  s.fixture.settle();
  s.walks.say(again, {Kind::failed, ENOENT, "no such file"});
  s.fixture.settle();
  CHECK(second->failed_with(ENOENT));
  CHECK(s.walks.ends.size() == 2);
}

TEST_CASE("shares/walker: a mount that doesn't answer costs one process, until it does" *
          needs_mounts) {
  Scripted s;
  auto& f = s.fixture;
  const int nas = f.mount_at("/mnt/nas");
  const auto first = s.inside(0, nas, 20);
  const auto parked = s.inside(1, nas);
  REQUIRE(f.until([&] { return first->got && parked->got; }));
  for (const auto& answer : {first, parked}) {
    CHECK(answer->failed_with(ETIMEDOUT));
    CHECK(answer->got->error().message.find("/mnt/nas (tmpfs) does not answer") !=
          std::string::npos);
  }
  REQUIRE(f.walker.hanging().size() == 1);
  CHECK(f.walker.hanging()[0].what == "/mnt/nas (tmpfs)");
  CHECK(f.walker.hanging()[0].pid > 0);
  CHECK(f.changes == 1);

  CHECK(s.walks.heard(1).kind == Kind::stop);
  const auto later = s.inside(1, nas);
  CHECK(s.walks.heard(1).kind == Kind::stop);
  CHECK(later->failed_with(ETIMEDOUT));  // at once
  const auto elsewhere = s.inside(1, 71);
  CHECK(s.walks.heard(1).kind == Kind::go);
  CHECK(f.walker.processes() == 2);

  // It comes back: nobody waits for its answer, and the mount is as any other.
  CHECK(s.walks.heard(0).kind == Kind::go);
  s.walks.say(0, {Kind::opened, 0, {}, UniqueFd(::open("/dev/null", O_PATH | O_CLOEXEC))});
  f.settle();
  CHECK(f.walker.hanging().empty());
  CHECK(f.changes == 2);
  const auto after = s.inside(0, nas);
  CHECK(s.walks.heard(0).kind == Kind::go);
  CHECK_FALSE(elsewhere->got);
  CHECK_FALSE(after->got);
}

TEST_CASE("shares/walker: who waits outside for too long is told, and the one inside goes on" *
          needs_mounts) {
  Scripted s;
  const auto first = s.inside(0, 70);
  const auto second = s.inside(1, 70, 200);
  REQUIRE(s.fixture.until([&] { return second->got.has_value(); }));
  CHECK(second->failed_with(ETIMEDOUT));
  CHECK(s.fixture.walker.hanging().empty());
  CHECK(s.walks.heard(0).kind == Kind::go);
  s.walks.say(0, {Kind::failed, ENOENT, "no such file"});
  s.fixture.settle();
  CHECK(first->failed_with(ENOENT));
  CHECK(s.walks.heard(0).number == EAGAIN);  // nothing was asked for the second again
}

TEST_CASE("shares/walker: what hangs in a mount that was taken away is ended" * needs_mounts) {
  Scripted s;
  auto& f = s.fixture;
  const int nas = f.mount_at("/mnt/nas");
  const auto first = s.inside(0, nas, 20);
  REQUIRE(f.until([&] { return !f.walker.hanging().empty(); }));
  f.walker.mounts_changed(*mounts::own_mounts());
  f.settle();
  CHECK(f.walker.processes() == 1);
  REQUIRE(mounts::detach_all(f.share + "/mnt/nas"));
  f.walker.mounts_changed(*mounts::own_mounts());
  REQUIRE(f.until([&] { return f.walker.empty(); }));
  CHECK(f.walker.hanging().empty());
}

TEST_CASE("shares/walker: so many work at once, and so many may hang" * needs_mounts) {
  Scripted s;
  auto& f = s.fixture;
  std::vector<std::shared_ptr<Fixture::Answer>> answers;
  for (std::size_t i = 0; i < Walker::kMostHanging; ++i)
    answers.push_back(s.inside(i, 100 + static_cast<int>(i), 200));
  REQUIRE(f.until([&] {
    return std::all_of(answers.begin(), answers.end(),
                       [](const auto& a) { return a->got.has_value(); });
  }));
  CHECK(f.walker.processes() == Walker::kMostHanging);
  const auto refused = f.open("/one/more");
  REQUIRE(f.until([&] { return refused->got.has_value(); }));
  CHECK(refused->failed_with(ETIMEDOUT));
  CHECK(f.walker.processes() == Walker::kMostHanging);
  // One of them comes back, and there is a process for the next.
  s.walks.say(3, {Kind::failed, ENOENT, "no such file"});
  const auto again = f.open("/one/more");
  REQUIRE(f.until([&] { return s.walks.heard(3).kind == Kind::open; }));

  Scripted many;
  std::vector<std::shared_ptr<Fixture::Answer>> waiting;
  for (std::size_t i = 0; i < 2 * Walker::kMostWorking; ++i)
    waiting.push_back(many.fixture.open("/x" + std::to_string(i)));
  REQUIRE(many.fixture.until([&] { return many.walks.ends.size() == Walker::kMostWorking; }));
  // A question is answered, and the next one has that process.
  CHECK(many.walks.heard(0).kind == Kind::open);
  many.walks.say(0, {Kind::failed, ENOENT, "no such file"});
  REQUIRE(many.fixture.until([&] { return many.walks.heard(0).kind == Kind::open; }));
  CHECK(many.walks.ends.size() == Walker::kMostWorking);
}

TEST_CASE("shares/walker: a walker that ends is an error, and the next question has another" *
          needs_mounts) {
  Scripted s;
  auto& f = s.fixture;
  const auto first = s.inside(0, 70);
  s.walks.say(0, {Kind::go});  // which only we say: it makes no sense, and is ended
  s.fixture.settle();
  f.walker.stop();
  REQUIRE(f.until([&] { return f.walker.processes() == 0; }));
  CHECK((first->got && !*first->got));
  const auto second = s.inside(1, 70);
  CHECK(s.walks.heard(1).kind == Kind::go);

  Fixture cannot([](int) -> Result<process::Child> { return make_error("no process is free"); });
  const auto answer = cannot.open("/missing");
  REQUIRE(cannot.until([&] { return answer->got.has_value(); }));
  CHECK((answer->got && !*answer->got &&
         answer->got->error().message == "start a walker: no process is free"));
}

TEST_CASE("shares/walker: the last reference to a mount is another process's to close" *
          needs_mounts) {
  Scripted s;
  auto& f = s.fixture;
  auto tree = mounts::detached_tmpfs("dropped", "0700", false);
  REQUIRE(tree);
  const int number = tree->get();
  f.walker.drop(*std::move(tree));
  REQUIRE(f.until([&] { return s.walks.ends.size() == 1; }));
  f.settle();
  CHECK(::fcntl(number, F_GETFD) == -1);  // ours is closed
  const auto got = s.walks.heard(0);
  CHECK(got.kind == Kind::drop);
  CHECK(got.fd);
  f.walker.stop();  // such a process is left to its work
  f.settle();
  CHECK(f.walker.processes() == 1);
  s.walks.say(0, {Kind::dropped});
  f.settle();
  CHECK(f.walker.hanging().empty());
}
