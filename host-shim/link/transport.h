// Transport is the byte stream under a link, whatever it goes over: hvsocket, TCP, the stdin and
// stdout of attach. One send is on its way at a time, and it is the whole buffer: what the link
// puts in there waits nowhere else.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace causeway::shim::link {

class Transport {
 public:
  // None is called from within a call of the owner; each may destroy the Transport.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_data(std::string_view bytes) = 0;    // valid during the call
    virtual void on_sent() = 0;                          // output() is free again
    virtual void on_end(const std::string& reason) = 0;  // once; nothing is told after it
  };

  virtual ~Transport() = default;  // closes; nothing is told any more
  virtual void start(Handler& handler) = 0;
  // Where the next send is put together; empty while one is on its way.
  virtual std::span<char> output() = 0;
  virtual void send(std::size_t bytes) = 0;  // of output(), from its start
};

}  // namespace causeway::shim::link
