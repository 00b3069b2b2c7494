// LinkListener keeps one endpoint listening: a socket that can't be made, or dies (hvsocket
// listeners do, with EINVAL or EBADF), is made again after a growing delay.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/timer.h"
#include "link/endpoints.h"

namespace causeway::link {

class LinkListener {
 public:
  struct Delays {
    std::uint64_t first_ms = 100;
    std::uint64_t longest_ms = 30'000;
    std::uint64_t recovered_ms = 10'000;  // it has listened so long: the next delay is the first
  };

  // `accepted` gets admitted peers, `refused` the reason for others; `changed` when listening() or
  // reason() is another. None is called from within the constructor, none may destroy it.
  struct Handler {
    std::function<void(UniqueFd)> accepted;
    std::function<void(const std::string& reason)> refused;
    std::function<void()> changed;
  };

  LinkListener(io::Loop& loop, Endpoint endpoint, Handler handler, Delays delays);

  const Endpoint& endpoint() const { return endpoint_; }
  bool listening() const { return listener_ != nullptr; }
  const std::string& reason() const { return reason_; }  // why not

 private:
  void begin();
  void failed(const Error& error);
  void accepted(UniqueFd fd);

  io::Loop& loop_;
  const Endpoint endpoint_;
  const Handler handler_;
  const Delays delays_;
  std::string reason_;
  std::uint64_t delay_ms_;
  std::uint64_t since_ms_ = 0;
  Lifetime lifetime_;
  std::unique_ptr<io::Listener> listener_;
  io::Timer retry_;
};

}  // namespace causeway::link
