#include "distro/resolver.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "support/loop_fixture.h"

using namespace causeway;
using namespace causeway::distro;

namespace {

// A file system that hangs until it is told to go on.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int waiting = 0;

  void wait() {
    std::unique_lock lock(mutex);
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [&] { return open; });
    --waiting;
    changed.notify_all();
  }
  void until_waiting(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == count; });
  }
  void release() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

struct Rig {
  io::Loop loop;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::map<std::int64_t, std::vector<handover::Resolution>> answers;
  std::unique_ptr<Resolver> resolver = std::make_unique<Resolver>(
      loop,
      [gate = gate](const std::string& path) {
        if (path.starts_with("/hang")) gate->wait();
        return handover::Resolution{"/resolved" + path, ""};
      },
      [this](std::int64_t ticket, std::vector<handover::Resolution> results) {
        answers[ticket] = std::move(results);
      });

  bool until(std::size_t count) {
    return causeway::test::run_until(loop, [&] { return answers.size() >= count; });
  }
};

}  // namespace

TEST_CASE("distro/resolver: each question is answered, in the order of its paths") {
  Rig rig;
  rig.resolver->ask(1, {"/a", "/b"});
  rig.resolver->ask(2, {});
  CHECK(rig.answers.empty());  // never from within
  REQUIRE(rig.until(2));
  CHECK(rig.answers[1] ==
        std::vector<handover::Resolution>{{"/resolved/a", ""}, {"/resolved/b", ""}});
  CHECK(rig.answers[2].empty());
}

TEST_CASE("distro/resolver: what hangs holds neither the loop nor others") {
  Rig rig;
  for (std::int64_t i = 0; i < std::int64_t{Resolver::kThreads} - 1; ++i)
    rig.resolver->ask(100 + i, {"/hang"});
  rig.gate->until_waiting(int{Resolver::kThreads} - 1);
  rig.resolver->ask(1, {"/a"});
  REQUIRE(rig.until(1));
  CHECK(rig.answers.contains(1));

  // All threads hang: the rest waits, and what is too much is refused.
  rig.resolver->ask(200, {"/hang"});
  rig.gate->until_waiting(int{Resolver::kThreads});
  for (std::size_t i = 0; i < Resolver::kMaxWaiting; ++i)
    rig.resolver->ask(std::int64_t(1000 + i), {"/b"});
  rig.resolver->ask(5, {"/x", "/y"});
  REQUIRE(rig.until(2));
  REQUIRE(rig.answers[5].size() == 2);
  CHECK(rig.answers[5][1].error.starts_with("the distro's helper has too many questions"));
  rig.gate->release();
  REQUIRE(rig.until(2 + Resolver::kThreads + Resolver::kMaxWaiting));
  CHECK(rig.answers[1000].size() == 1);
}

TEST_CASE("distro/resolver: threads that hang outlive it and touch nothing") {
  Rig rig;
  rig.resolver->ask(1, {"/hang"});
  rig.gate->until_waiting(1);
  rig.resolver.reset();
  rig.gate->release();
  rig.gate->until_waiting(0);
  causeway::test::settle(rig.loop);
  CHECK(rig.answers.empty());
}
