// ControlServer serves the control API, whatever its calls are, on the control socket, and to
// clients that came in otherwise (the link). Only a peer with the right uid is served on the
// socket; its mode says the same, but a descriptor can be handed on.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "control/calls.h"
#include "control/session.h"
#include "io/listener.h"
#include "io/loop.h"

namespace causeway::control {

class ControlServer final : private Session::Owner {
 public:
  // `listening` is a bound and listening socket; `loop` and `calls` outlive the server.
  ControlServer(io::Loop& loop, UniqueFd listening, const Calls& calls, Limits limits = {},
                uid_t allowed_uid = 0);
  ~ControlServer() override;

  // A client whose right to be here was checked. It comes back when there are too many: these have
  // at most half of the sessions, so that they don't keep root from the socket.
  std::unique_ptr<io::ByteStream> serve(std::unique_ptr<io::ByteStream> client);

  std::size_t sessions() const { return sessions_.size(); }

 private:
  const Calls& calls() const override { return calls_; }
  const Limits& limits() const override { return limits_; }
  void retire(Session& session) override;
  void accepted(UniqueFd connection);
  void begin(std::unique_ptr<io::ByteStream> client, bool of_socket);

  io::Loop& loop_;
  const Calls& calls_;
  const Limits limits_;
  const uid_t allowed_uid_;
  Lifetime lifetime_;  // guards deferred work
  struct Served {
    std::unique_ptr<Session> session;
    bool of_socket = false;
  };
  std::map<Session*, Served> sessions_;
  std::size_t others_ = 0;  // sessions that didn't come in by the socket
  io::Listener listener_;   // last: nobody is accepted while the rest goes
};

}  // namespace causeway::control
