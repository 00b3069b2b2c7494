#include "io/signal.h"

#include <uv.h>

#include <utility>

namespace causeway::io {

struct SignalWatch::State {
  uv_signal_t handle;
  std::function<void()> callback;
};

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void()> callback)
    : state_(new State{}) {
  state_->callback = std::move(callback);
  uv_signal_init(loop.raw(), &state_->handle);
  state_->handle.data = state_;
  uv_signal_start(
      &state_->handle,
      [](uv_signal_t* handle, int) { static_cast<State*>(handle->data)->callback(); },
      signal_number);
  // A program that waits for nothing but signals is done.
  uv_unref(reinterpret_cast<uv_handle_t*>(&state_->handle));
}

SignalWatch::~SignalWatch() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

}  // namespace causeway::io
