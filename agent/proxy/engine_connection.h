// EngineConnection is one connection to the engine's own socket. It serves the requests of one
// session, one after the other.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "io/loop.h"
#include "io/stream.h"

namespace causeway::proxy {

class EngineConnection : private io::Stream::Handler {
 public:
  // Any of these may destroy the EngineConnection.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void engine_data(std::string_view bytes) = 0;
    // It will send nothing more.
    virtual void engine_ended() = 0;
    virtual void engine_drained() = 0;
    // It takes nothing more; it may still answer.
    virtual void engine_write_failed() = 0;
  };

  static Result<std::unique_ptr<EngineConnection>> connect(io::Loop& loop, const std::string& path,
                                                           Owner& owner);

  io::Stream& stream() { return stream_; }

 private:
  EngineConnection(io::Loop& loop, UniqueFd fd, Owner& owner);
  void on_data(std::string_view bytes) override { owner_.engine_data(bytes); }
  void on_eof() override { owner_.engine_ended(); }
  void on_drained() override { owner_.engine_drained(); }
  void on_read_error(const Error&) override { owner_.engine_ended(); }
  void on_write_error(const Error&) override { owner_.engine_write_failed(); }

  Owner& owner_;
  io::Stream stream_;
};

}  // namespace causeway::proxy
