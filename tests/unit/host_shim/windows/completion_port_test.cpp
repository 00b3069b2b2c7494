#include "windows/completion_port.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

using namespace causeway::shim;

TEST_CASE("host_shim/windows/completion_port: tasks run in order, from any thread") {
  CompletionPort port;
  std::vector<int> ran;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) port.post([&ran, i] { ran.push_back(i); });
    port.stop();
  });
  port.run();
  other.join();
  REQUIRE(ran.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(ran[static_cast<std::size_t>(i)] == i);
  port.post([&] { ran.clear(); });  // after the end: dropped
  CHECK(ran.size() == 100);
}

TEST_CASE("host_shim/windows/completion_port: a dropped task lets go of what it holds") {
  CompletionPort port;
  const auto held = std::make_shared<int>(1);
  bool ran = false;
  port.stop();
  // Posted while the loop already ends.
  port.post([&port, &ran, held] { port.post([&ran, held] { ran = true; }); });
  port.run();
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}

TEST_CASE("host_shim/windows/completion_port: timers run by time, and not when they were stopped") {
  CompletionPort port;
  std::string ran;
  Timer first(port);
  Timer second(port);
  Timer third(port);
  second.start(20, [&] { ran += 'b'; });
  first.start(1, [&] {
    ran += 'a';
    third.stop();
  });
  third.start(10, [&] { ran += 'x'; });
  port.after(40, [&] { port.stop(); });
  port.run();
  CHECK(ran == "ab");
  CHECK_FALSE(first.running());
}

TEST_CASE("host_shim/windows/completion_port: a timer that a deferred task starts wakes the loop") {
  CompletionPort port;
  Timer timer(port);
  port.post([&] { port.defer([&] { timer.start(1, [&] { port.stop(); }); }); });
  const auto begin = CompletionPort::now_ms();
  Timer late(port);
  late.start(5'000, [&] { port.stop(); });
  port.run();
  CHECK(CompletionPort::now_ms() - begin < 4'000);
}

TEST_CASE(
    "host_shim/windows/completion_port: an operation is told once, also when it fails at once") {
  CompletionPort port;
  int told = 0;
  const auto operation = std::make_shared<Operation>(port);
  operation->begin(operation, [&](DWORD error, DWORD) {
    ++told;
    CHECK(error == ERROR_BROKEN_PIPE);
    port.stop();
  });
  operation->began(ERROR_BROKEN_PIPE);
  CHECK(told == 0);  // never within the caller's call
  port.run();
  CHECK(told == 1);
  CHECK(operation.use_count() == 1);
}
