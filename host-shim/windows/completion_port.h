// CompletionPort is the loop of the shim: one completion port, tasks, timers, all on the thread
// that calls run(). Everything else of the core belongs to one of these and lives on its thread;
// only post() and stop() may be called from others.
//
// An Operation is one overlapped call. While Windows has it, it keeps `keep` alive: so the buffers
// that the call uses outlive it, whatever happens to the object that began it. Each begun operation
// is told exactly once, also after its handle was closed (ERROR_OPERATION_ABORTED).
#pragma once

#include <windows.h>
#include <winsock2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/result.h"
#include "windows/unique_handle.h"

namespace causeway::shim {

class CompletionPort;

class Operation {
 public:
  using Done = std::function<void(DWORD error, DWORD bytes)>;
  explicit Operation(CompletionPort& port) : port_(port) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Before the call: `keep` owns this operation and its buffers.
  OVERLAPPED* begin(std::shared_ptr<void> keep, Done done);
  // After it: what the call gave. ERROR_SUCCESS, ERROR_IO_PENDING and ERROR_MORE_DATA queue a
  // packet (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS is never set); for any other error none will come,
  // and `done` is called from the loop with it. So `done` is never called within the caller's call.
  void began(DWORD error);
  bool pending() const { return keep_ != nullptr; }

 private:
  friend class CompletionPort;
  void complete(DWORD error, DWORD bytes);

  struct Overlapped : OVERLAPPED {
    Operation* operation = nullptr;
  };
  CompletionPort& port_;
  Overlapped overlapped_{};
  std::shared_ptr<void> keep_;
  Done done_;
};

class CompletionPort {
 public:
  using TimerId = std::pair<std::uint64_t, std::uint64_t>;  // when, number

  CompletionPort();
  // Waits for every begun operation; their handles must be closed, or the calls cancelled. What
  // they tell is dropped.
  ~CompletionPort();
  CompletionPort(const CompletionPort&) = delete;
  CompletionPort& operator=(const CompletionPort&) = delete;

  Status associate(HANDLE handle);
  void run();  // until stop()
  void stop();
  // From any thread: `task` runs on the loop, in order. Dropped once run() has returned.
  void post(std::function<void()> task);
  // On the loop's thread: `task` runs at the end of this turn.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }

  TimerId after(std::uint64_t ms, std::function<void()> task);
  void cancel(TimerId timer);
  // Monotonic, and it stands still while the machine sleeps: a deadline must not have passed just
  // because the lid was shut.
  static std::uint64_t now_ms();

 private:
  friend class Operation;
  bool turn(DWORD timeout_ms);
  void run_failed();
  void run_posted();
  void run_deferred();
  std::uint64_t run_timers();

  UniqueHandle port_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool woken_ = false;
  bool stopping_ = false;
  bool ended_ = false;
  bool draining_ = false;
  std::size_t pending_ = 0;                           // operations begun and not told
  std::vector<std::pair<Operation*, DWORD>> failed_;  // of them, those that queue no packet
  std::vector<std::function<void()>> deferred_;
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_timer_ = 1;
};

// A timer that its owner holds: destroyed or started anew, it doesn't fire any more.
class Timer {
 public:
  explicit Timer(CompletionPort& port) : port_(port) {}
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start(std::uint64_t ms, std::function<void()> task);
  void stop();
  bool running() const { return id_.second != 0; }

 private:
  CompletionPort& port_;
  CompletionPort::TimerId id_{0, 0};
};

}  // namespace causeway::shim
