// Liveness asks a service that is ready whether it still answers, again and again. What it finds
// changes nothing but what is told: a service that is slow under load must not be ended for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "http_client/http_client.h"
#include "io/loop.h"
#include "io/timer.h"
#include "supervise/service_spec.h"

namespace causeway::supervise {

class Liveness {
 public:
  struct Times {
    std::uint64_t period_ms = 5'000;    // from an answer to the next question
    std::uint64_t patience_ms = 3'000;  // then it is said to be silent
    std::uint64_t pause_ms = 1'000;     // after an answer that is none
    std::uint64_t give_up_ms = 30'000;  // and ask anew: the question may be lost
  };

  // `changed`, never called from within: it is silent now, or no longer.
  Liveness(io::Loop& loop, AliveRule rule, std::function<void()> changed, Times times);
  ~Liveness();
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  bool silent() const { return silent_; }
  // Since the first question that had no answer; 0 while it answers.
  std::uint64_t silent_ms() const;
  // What came instead of an answer: "GET /_ping: answered 500"; may be empty.
  const std::string& finding() const { return finding_; }

 private:
  class Greeting;
  void ask();
  void answered();
  void failed(std::string finding);
  void now_silent();

  io::Loop& loop_;
  const AliveRule rule_;
  const Times times_;
  std::function<void()> changed_;
  std::uint64_t asked_ms_ = 0;
  bool silent_ = false;
  std::uint64_t silent_since_ms_ = 0;
  std::string finding_;
  Lifetime lifetime_;
  io::Timer next_;
  io::Timer late_;
  http_client::HttpClient client_;
  std::unique_ptr<Greeting> greeting_;
};

}  // namespace causeway::supervise
