// DistroRequests are the distros that somebody needs and that don't run: who starts distros
// (Windows) is told of them, and who waits for one is told when it comes, can't come, or doesn't in
// time. Until then:
//
//   request ──▶ wanted ──┬─ attached ──▶ its waiters: true
//                        ├─ not_started ──▶ its waiters: false; the reason is kept until the next
//                        │                  request, or until it comes by itself
//                        └─ withdraw (it was disabled)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "io/loop.h"
#include "io/timer.h"

namespace causeway::shares {

class DistroRequests {
 public:
  using Subscriber = std::function<void(const std::string& distro)>;
  using Done = std::function<void(bool attached)>;

  // `loop` outlives it. Subscribers and waiters are never called from within a call.
  explicit DistroRequests(io::Loop& loop) : loop_(loop) {}
  DistroRequests(const DistroRequests&) = delete;
  DistroRequests& operator=(const DistroRequests&) = delete;

  // All subscribers are told, also when it is wanted already.
  void request(const std::string& distro);
  void withdraw(const std::string& distro) { wanted_.erase(distro); }
  void forget(const std::string& distro);  // and those who wait are told that it doesn't come
  void attached(const std::string& distro);
  // False, and nothing is done, when it wasn't asked for.
  bool not_started(const std::string& distro, const std::string& reason);

  bool is_wanted(std::string_view distro) const { return wanted_.contains(distro); }
  std::vector<std::string> wanted() const { return {wanted_.begin(), wanted_.end()}; }
  std::string why_not_started(std::string_view distro) const;  // empty: Windows didn't say
  void subscribe(Subscriber subscriber) { subscribers_.push_back(std::move(subscriber)); }

  // `done` is called once: with true when `there` already, or when it comes; with false when it
  // can't be started, or after the time.
  void wait(std::string_view distro, bool there, std::uint64_t timeout_ms, Done done);

 private:
  struct Waiter {
    std::string distro;
    std::unique_ptr<io::Timer> timer;
    Done done;
  };

  void end_waiters(const std::string& distro, bool there);
  void end_waiter(std::uint64_t id, bool there);

  io::Loop& loop_;
  std::set<std::string, std::less<>> wanted_;
  std::map<std::string, std::string, std::less<>> refusals_;  // why they were not started
  std::vector<Subscriber> subscribers_;
  std::map<std::uint64_t, Waiter> waiters_;
  std::uint64_t next_waiter_ = 1;
  Lifetime lifetime_;
};

}  // namespace causeway::shares
