#include "io/timer.h"

#include <uv.h>

#include <utility>

namespace causeway::io {

struct Timer::State {
  uv_timer_t handle;
  std::function<void()> callback;
};

Timer::Timer(Loop& loop) : state_(new State{}) {
  uv_timer_init(loop.raw(), &state_->handle);
  state_->handle.data = state_;
}

Timer::~Timer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void Timer::start(std::uint64_t delay_ms, std::function<void()> callback) {
  state_->callback = std::move(callback);
  // libuv counts from the start of the turn, which may be long ago after a slow callback.
  uv_update_time(state_->handle.loop);
  uv_timer_start(
      &state_->handle,
      [](uv_timer_t* handle) {
        // Moved out first: the callback may start the timer again, or destroy it.
        auto run = std::move(static_cast<State*>(handle->data)->callback);
        run();
      },
      delay_ms, 0);
}

void Timer::stop() { uv_timer_stop(&state_->handle); }
bool Timer::armed() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&state_->handle)) != 0;
}

}  // namespace causeway::io
