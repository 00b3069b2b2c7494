// The reload against an engine that the test plays in a thread; the process that gets SIGHUP is
// this one.
#include "engine_setup/engine_reload.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "../containers/scripted_engine.h"
#include "base/file.h"
#include "io/poll.h"
#include "io/signal.h"
#include "process/pidfd.h"

using namespace causeway;

namespace {

// Answers SIGHUP with `events`, each as a line.
class Engine {
 public:
  explicit Engine(std::vector<std::string> events, int status = 200)
      : stop_(::eventfd(0, EFD_CLOEXEC)),
        end_(engine_.loop, stop_.get(), [this](unsigned) { engine_.loop.stop(); }),
        hang_up_(engine_.loop, SIGHUP, [this, events = std::move(events)] {
          ++signals;
          if (engine_.follower == nullptr) return;
          for (const auto& event : events) engine_.follower->write(http::chunk(event + "\n"));
        }) {
    engine_.events_status = status;
    end_.watch(io::Poll::readable);
    const auto stat = process::read_stat(::getpid());
    REQUIRE(stat.ok());
    REQUIRE(file::write_atomic(pid_file(), std::to_string(::getpid()) + " " +
                                               std::to_string(stat->start_time) + "\n")
                .ok());
    thread_ = std::thread([this] { engine_.loop.run(); });
  }
  ~Engine() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_.get(), &one, sizeof(one)) == sizeof(one));
    thread_.join();
  }

  std::string pid_file() const { return engine_.folder + "/dockerd.pid"; }
  std::string socket() const { return engine_.socket(); }
  std::string outcome(bool live_restore, std::uint64_t timeout_ms = 20'000) const {
    const auto done = engine_setup::reload_engine(socket(), pid_file(), live_restore, timeout_ms);
    return done ? "done" : done.error().message;
  }
  std::atomic<int> signals = 0;

 private:
  test::ScriptedEngine engine_;
  UniqueFd stop_;
  io::Poll end_;
  io::SignalWatch hang_up_;
  std::thread thread_;
};

std::string reload(const char* live_restore) {
  return std::string(R"({"Type":"daemon","Action":"reload","Actor":{"Attributes":{)") +
         R"("live-restore":")" + live_restore + R"("}}})";
}

}  // namespace

TEST_CASE("engine_setup/engine_reload: it is over when dockerd tells the value now in force") {
  const Engine engine({R"({"Type":"container","Action":"die"})", "no JSON", reload("false")});
  CHECK(engine.outcome(false) == "done");
  CHECK(engine.signals == 1);  // only after the subscription, or no event would have come
}

TEST_CASE("engine_setup/engine_reload: dockerd that keeps its value is an error") {
  const Engine engine({reload("true")});
  CHECK(engine.outcome(false) == "dockerd keeps live-restore=true");
}

TEST_CASE("engine_setup/engine_reload: without a confirmation it ends in time") {
  const Engine engine({});
  CHECK(engine.outcome(true, 50) == "dockerd did not confirm the reload in time");
}

TEST_CASE("engine_setup/engine_reload: without the events dockerd gets no signal") {
  const Engine engine({reload("true")}, 500);
  CHECK(engine.outcome(true).ends_with("status 500"));
  CHECK(engine.signals == 0);
  CHECK(engine_setup::reload_engine("/nowhere/dockerd.sock", engine.pid_file(), true, 1000)
            .error()
            .message.find("/nowhere/dockerd.sock") != std::string::npos);
  CHECK(engine.signals == 0);
  CHECK_FALSE(engine_setup::reload_engine(engine.socket(), "/nowhere/pid", true, 1000).ok());
}
