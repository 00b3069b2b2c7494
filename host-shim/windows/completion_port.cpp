#include "windows/completion_port.h"

#include <algorithm>

#include "windows/windows_text.h"

namespace causeway::shim {
namespace {

constexpr ULONG kBatch = 64;  // packets a turn; timers and tasks have their turn in between
constexpr std::uint64_t kForever = UINT64_MAX;

// The error that a completed call left in its OVERLAPPED is an NTSTATUS.
DWORD error_of(OVERLAPPED* overlapped) {
  const auto status = static_cast<LONG>(overlapped->Internal);
  if (status == 0) return ERROR_SUCCESS;
  using ToDosError = ULONG(WINAPI*)(LONG);
  static const auto to_dos_error = reinterpret_cast<ToDosError>(reinterpret_cast<void*>(
      GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlNtStatusToDosError")));
  return to_dos_error(status);
}

}  // namespace

OVERLAPPED* Operation::begin(std::shared_ptr<void> keep, Done done) {
  static_cast<OVERLAPPED&>(overlapped_) = OVERLAPPED{};
  overlapped_.operation = this;
  keep_ = std::move(keep);
  done_ = std::move(done);
  ++port_.pending_;
  return &overlapped_;
}

void Operation::began(DWORD error) {
  if (error == ERROR_SUCCESS || error == ERROR_IO_PENDING || error == ERROR_MORE_DATA) return;
  port_.failed_.emplace_back(this, error);
}

void Operation::complete(DWORD error, DWORD bytes) {
  --port_.pending_;
  // Both may be the last that hold this operation.
  const auto keep = std::move(keep_);
  const auto done = std::move(done_);
  keep_ = nullptr;
  done_ = nullptr;
  if (!port_.draining_) done(error, bytes);
}

CompletionPort::CompletionPort()
    : port_(CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1)) {}

CompletionPort::~CompletionPort() {
  draining_ = true;
  timers_.clear();
  deferred_.clear();
  {
    const std::lock_guard lock(mutex_);
    posted_.clear();
  }
  while (pending_ > 0) {
    run_failed();
    if (pending_ > 0) turn(INFINITE);
  }
}

Status CompletionPort::associate(HANDLE handle) {
  if (CreateIoCompletionPort(handle, port_.get(), 0, 0) == nullptr)
    return windows_error("add to the completion port", GetLastError());
  return Ok{};
}

void CompletionPort::run() {
  for (;;) {
    run_failed();
    run_posted();
    run_deferred();
    // Last: all of the above may have started one.
    const auto wait = run_timers();
    if (!failed_.empty() || !deferred_.empty()) continue;
    {
      std::unique_lock lock(mutex_);
      if (stopping_) {
        ended_ = true;
        const auto dropped = std::move(posted_);
        posted_.clear();
        lock.unlock();  // what goes with a task may post
        return;
      }
      if (!posted_.empty()) continue;
    }
    turn(wait == kForever ? INFINITE
                          : static_cast<DWORD>(std::min<std::uint64_t>(wait, 86'400'000)));
  }
}

void CompletionPort::stop() {
  post([this] {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  });
}

void CompletionPort::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  posted_.push_back(std::move(task));
  if (!std::exchange(woken_, true)) PostQueuedCompletionStatus(port_.get(), 0, 0, nullptr);
}

void CompletionPort::run_failed() {
  for (auto& [operation, error] : std::exchange(failed_, {})) operation->complete(error, 0);
}

void CompletionPort::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
    woken_ = false;
  }
  for (auto& task : tasks) task();
}

void CompletionPort::run_deferred() {
  for (auto& task : std::exchange(deferred_, {})) task();
}

bool CompletionPort::turn(DWORD timeout_ms) {
  OVERLAPPED_ENTRY entries[kBatch];
  ULONG count = 0;
  if (!GetQueuedCompletionStatusEx(port_.get(), entries, kBatch, &count, timeout_ms, FALSE))
    return false;
  for (ULONG i = 0; i < count; ++i) {
    OVERLAPPED* overlapped = entries[i].lpOverlapped;
    if (overlapped == nullptr) continue;  // there are tasks
    Operation* operation = static_cast<Operation::Overlapped*>(overlapped)->operation;
    operation->complete(error_of(overlapped), entries[i].dwNumberOfBytesTransferred);
  }
  return true;
}

CompletionPort::TimerId CompletionPort::after(std::uint64_t ms, std::function<void()> task) {
  const TimerId id{now_ms() + ms, next_timer_++};
  timers_.emplace(id, std::move(task));
  return id;
}

void CompletionPort::cancel(TimerId timer) { timers_.erase(timer); }

// How long until the next one.
std::uint64_t CompletionPort::run_timers() {
  const auto now = now_ms();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const auto task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
  return timers_.empty() ? kForever : timers_.begin()->first.first - now;
}

std::uint64_t CompletionPort::now_ms() {
  ULONGLONG hundred_ns = 0;
  QueryUnbiasedInterruptTime(&hundred_ns);
  return hundred_ns / 10'000;
}

void Timer::start(std::uint64_t ms, std::function<void()> task) {
  stop();
  id_ = port_.after(ms, [this, task = std::move(task)] {
    id_ = {0, 0};
    task();
  });
}

void Timer::stop() {
  if (id_.second != 0) port_.cancel(std::exchange(id_, {0, 0}));
}

}  // namespace causeway::shim
