#include "io/loop.h"

#include <poll.h>
#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace causeway::io {

namespace {
// A read takes what a unix socket's default send buffer holds (net.core.wmem_default, 208 KiB, of
// which about half is payload) in at most two calls; larger reads gained nothing measurable.
constexpr std::size_t kReadBufferBytes = std::size_t{64} * 1024;
}  // namespace

struct Loop::State {
  uv_loop_t loop;
  uv_idle_t spin;       // makes the loop turn without blocking while tasks are deferred
  uv_check_t deferred;  // runs them after the polls of the turn
  std::vector<std::function<void()>> tasks;
  std::vector<char> buffer;

  void run_tasks() {
    if (tasks.empty()) return;
    uv_idle_stop(&spin);
    // A task may defer another: that one runs in the next turn.
    auto now = std::exchange(tasks, {});
    for (auto& task : now) task();
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {
  if (uv_loop_init(&state_->loop) != 0) {
    std::fputs("causeway: no event loop: out of descriptors or memory\n", stderr);
    std::abort();
  }
  state_->loop.data = state_.get();
  uv_idle_init(&state_->loop, &state_->spin);
  uv_check_init(&state_->loop, &state_->deferred);
  uv_check_start(&state_->deferred,
                 [](uv_check_t* handle) { static_cast<State*>(handle->loop->data)->run_tasks(); });
  // Waiting for deferred tasks alone must not keep run() alive; the idle handle does while there
  // are any.
  uv_unref(reinterpret_cast<uv_handle_t*>(&state_->deferred));
  state_->buffer.resize(kReadBufferBytes);
}

Loop::~Loop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->spin), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->deferred), nullptr);
  state_->tasks.clear();
  while (uv_run(&state_->loop, UV_RUN_NOWAIT) != 0 && uv_loop_alive(&state_->loop) != 0) {
    // An owner that outlives its loop would keep a handle open: that is a programming error, found
    // in every test.
    bool closing = false;
    uv_walk(
        &state_->loop,
        [](uv_handle_t* handle, void* flag) {
          if (uv_is_closing(handle) != 0) *static_cast<bool*>(flag) = true;
        },
        &closing);
    if (!closing) break;
  }
  if (uv_loop_close(&state_->loop) != 0) {
    std::fputs("causeway: a handle outlives its event loop\n", stderr);
    std::abort();
  }
}

void Loop::run() { uv_run(&state_->loop, UV_RUN_DEFAULT); }
void Loop::stop() { uv_stop(&state_->loop); }
bool Loop::turn() { return uv_run(&state_->loop, UV_RUN_NOWAIT) != 0; }

bool Loop::at_rest() const {
  pollfd events{uv_backend_fd(&state_->loop), POLLIN, 0};
  // A loop without anything to wait for has the timeout 0, too.
  const bool due = uv_loop_alive(&state_->loop) != 0 && uv_backend_timeout(&state_->loop) == 0;
  return state_->tasks.empty() && !due && ::poll(&events, 1, 0) == 0;
}

void Loop::defer(std::function<void()> task) {
  state_->tasks.push_back(std::move(task));
  uv_idle_start(&state_->spin, [](uv_idle_t*) {});
}

std::uint64_t Loop::now_ms() const { return uv_now(&state_->loop); }
std::span<char> Loop::read_buffer() { return state_->buffer; }
uv_loop_s* Loop::raw() { return &state_->loop; }

}  // namespace causeway::io
