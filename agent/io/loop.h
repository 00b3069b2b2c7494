// Loop owns one libuv event loop. Everything in io/ belongs to one Loop and lives on its thread;
// <uv.h> is included in io/ only. A Loop must outlive every object made on it. Handles that are
// still closing are run down by the destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

struct uv_loop_s;

namespace causeway::io {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop(), or until nothing is left to wait for
  void stop();  // run() returns after the callbacks of this turn
  // One turn without blocking, for tests.
  bool turn();
  // Whether the next turn has nothing to do: no event waits, no task, no timer is due. For tests.
  bool at_rest() const;

  // Runs `task` after the callbacks of this turn, in order. The way to destroy an object from
  // inside its own callback.
  void defer(std::function<void()> task);

  std::uint64_t now_ms() const;  // monotonic, as of the start of this turn

  // One buffer for all reads of this loop: what a handler wants to keep it must copy. So an idle
  // connection holds no buffer.
  std::span<char> read_buffer();

  uv_loop_s* raw();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace causeway::io
