#include "windows/process_watch.h"

#include <doctest/doctest.h>

#include "windows/child_process.h"

using namespace causeway::shim;

namespace {

constexpr DWORD kLongMs = 30'000;

// Waits for its input, and ends with that.
ChildProcess waiting_child() {
  auto child = start_child({"cmd", "/c", "pause"}, {.input = ChildStdio::Pipe{}});
  REQUIRE(child.ok());
  return *std::move(child);
}

// What a watch has told, once it has.
struct Told {
  UniqueHandle event{CreateEventW(nullptr, TRUE, FALSE, nullptr)};
  bool ended = false;
  auto note() {
    return [this](bool how) {
      ended = how;
      SetEvent(event.get());
    };
  }
  bool wait(DWORD ms) const { return WaitForSingleObject(event.get(), ms) == WAIT_OBJECT_0; }
};

}  // namespace

TEST_CASE("host_shim/windows/process_watch: the end is told") {
  auto child = waiting_child();
  Told told;
  const auto watch = ProcessWatch::start(child.process.get(), INFINITE, told.note());
  REQUIRE(watch.ok());
  CHECK(!told.wait(0));
  child.input.reset();
  REQUIRE(told.wait(kLongMs));
  CHECK(told.ended);
}

TEST_CASE("host_shim/windows/process_watch: that it takes too long is told, and nothing else") {
  auto child = waiting_child();
  Told told;
  const auto watch = ProcessWatch::start(child.process.get(), 10, told.note());
  REQUIRE(watch.ok());
  REQUIRE(told.wait(kLongMs));
  CHECK(!told.ended);
  child.input.reset();
  REQUIRE(WaitForSingleObject(child.process.get(), kLongMs) == WAIT_OBJECT_0);
  CHECK(!told.ended);
}

TEST_CASE("host_shim/windows/process_watch: destroyed, it tells nothing and holds nothing") {
  auto child = waiting_child();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> left = held;
  auto told = std::make_shared<bool>(false);
  auto watch = ProcessWatch::start(child.process.get(), INFINITE,
                                   [held = std::move(held), told](bool) { *told = true; });
  REQUIRE(watch.ok());
  CHECK(!left.expired());
  watch->reset();
  CHECK(left.expired());
  child.input.reset();
  REQUIRE(WaitForSingleObject(child.process.get(), kLongMs) == WAIT_OBJECT_0);
  CHECK(!*told);
}
