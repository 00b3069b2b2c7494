// EngineConnection is one connection to the engine's own socket. It serves the requests of one
// session, one after the other, and may then serve another session's.
#pragma once

#include <cstddef>
#include <list>
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

  void set_owner(Owner& owner) { owner_ = &owner; }
  io::Stream& stream() { return stream_; }

 private:
  EngineConnection(io::Loop& loop, UniqueFd fd, Owner& owner);
  void on_data(std::string_view bytes) override { owner_->engine_data(bytes); }
  void on_eof() override { owner_->engine_ended(); }
  void on_drained() override { owner_->engine_drained(); }
  void on_read_error(const Error&) override { owner_->engine_ended(); }
  void on_write_error(const Error&) override { owner_->engine_write_failed(); }

  Owner* owner_;
  io::Stream stream_;
};

// Connections whose session has ended between two exchanges, for the next session: a client that
// connects for each request (every docker command does) then costs the engine no accept. One that
// shows any sign of life is dropped: idle, it has nothing to say but its end.
class IdleEngineConnections {
 public:
  void keep(std::unique_ptr<EngineConnection> connection);
  std::unique_ptr<EngineConnection> take();  // nothing when there is none
  void clear() { idle_.clear(); }

 private:
  struct Idle : EngineConnection::Owner {
    explicit Idle(IdleEngineConnections& all) : all_(all) {}
    void engine_data(std::string_view) override { all_.drop(this); }
    void engine_ended() override { all_.drop(this); }
    void engine_drained() override {}
    void engine_write_failed() override { all_.drop(this); }

    IdleEngineConnections& all_;
    std::unique_ptr<EngineConnection> connection_;
  };
  void drop(Idle* idle);

  std::list<std::unique_ptr<Idle>> idle_;
};

}  // namespace causeway::proxy
