// When the loop's timers fire, however they were started.
#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "windows/completion_port.h"

using namespace causeway::shim;

namespace {

// Ends a loop that waits for ever, so that a lost timer is a failure and no hang.
class Watchdog {
 public:
  explicit Watchdog(CompletionPort& port)
      : ended_(CreateEventW(nullptr, TRUE, FALSE, nullptr)), thread_([this, &port] {
          if (WaitForSingleObject(ended_.get(), 5'000) == WAIT_TIMEOUT) port.stop();
        }) {}
  ~Watchdog() {
    SetEvent(ended_.get());
    thread_.join();
  }

 private:
  UniqueHandle ended_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("host_shim/windows/completion_port: a timer fires, wherever it was started") {
  for (const std::string from : {"before the loop", "posted task", "deferred task", "timer"}) {
    CAPTURE(from);
    CompletionPort port;
    const Watchdog watchdog(port);
    Timer timer(port);
    Timer first(port);
    bool fired = false;
    const auto start = [&] {
      timer.start(20, [&] {
        fired = true;
        port.stop();
      });
    };
    if (from == "before the loop") start();
    if (from == "posted task") port.post(start);
    if (from == "deferred task") port.defer(start);
    if (from == "timer") first.start(1, [&] { port.defer(start); });
    port.run();
    CHECK(fired);
  }
}

TEST_CASE(
    "host_shim/windows/completion_port: a stopped timer doesn't fire, and a new start replaces") {
  CompletionPort port;
  std::string order;
  Timer stopped(port);
  Timer replaced(port);
  Timer last(port);
  stopped.start(1, [&] { order += 's'; });
  replaced.start(1, [&] { order += 'x'; });
  replaced.start(2, [&] { order += 'r'; });
  last.start(30, [&] {
    order += 'l';
    port.stop();
  });
  stopped.stop();
  port.run();
  CHECK(order == "rl");
}
