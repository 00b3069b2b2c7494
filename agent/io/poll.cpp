#include "io/poll.h"

#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace causeway::io {

static_assert(unsigned{Poll::readable} == unsigned{UV_READABLE} &&
              unsigned{Poll::writable} == unsigned{UV_WRITABLE} &&
              unsigned{Poll::disconnect} == unsigned{UV_DISCONNECT} &&
              unsigned{Poll::priority} == unsigned{UV_PRIORITIZED});

struct Poll::State {
  uv_poll_t handle;
  Callback callback;
  unsigned watched = 0;
  bool* owner_gone = nullptr;  // set while the callback runs
};

Poll::Poll(Loop& loop, int fd, Callback callback) : state_(new State{}) {
  state_->callback = std::move(callback);
  state_->handle.data = state_;
  if (const int code = uv_poll_init(loop.raw(), &state_->handle, fd); code != 0) {
    // Only for a descriptor that cannot be polled or is watched already: never a condition of the
    // outside.
    std::fprintf(stderr, "causeway: watch descriptor %d: %s\n", fd, uv_strerror(code));
    std::abort();
  }
}

Poll::~Poll() {
  if (state_->owner_gone != nullptr) *state_->owner_gone = true;
  // The callback may be what destroys us: it lives until libuv has let go of the handle.
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

void Poll::watch(unsigned events) {
  if (events == state_->watched) return;
  state_->watched = events;
  if (events == 0) {
    uv_poll_stop(&state_->handle);
    return;
  }
  uv_poll_start(&state_->handle, static_cast<int>(events),
                [](uv_poll_t* handle, int status, int happened) {
                  auto* state = static_cast<State*>(handle->data);
                  bool gone = false;
                  auto* outer = std::exchange(state->owner_gone, &gone);
                  if (status < 0) {
                    state->watched = 0;  // libuv has stopped the handle
                    state->callback(failed);
                  } else {
                    state->callback(static_cast<unsigned>(happened));
                  }
                  if (!gone) state->owner_gone = outer;
                });
}

unsigned Poll::watched() const { return state_->watched; }

}  // namespace causeway::io
