// ControlServer serves the control API (openapi.json) on the control socket, and to clients that
// came in otherwise (the link). Only a peer with the right uid is served on the socket; its mode
// says the same, but a descriptor can be handed on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>

#include "base/lifetime.h"
#include "base/unique_fd.h"
#include "control/backend.h"
#include "control/session.h"
#include "io/listener.h"
#include "io/loop.h"

namespace causeway::control {

class ControlServer final : private Session::Owner {
 public:
  // `listening` is a bound and listening socket; `backend` must outlive the server.
  ControlServer(io::Loop& loop, UniqueFd listening, ControlBackend& backend, Limits limits = {},
                uid_t allowed_uid = 0);
  ~ControlServer() override;

  // A client whose right to be here was checked. False, and it isn't taken: there are too many.
  bool serve(std::unique_ptr<io::ByteStream>& client);

  // What the outside must tell: something in the status has changed (many calls in one turn of the
  // loop count as one), and each line a service prints.
  void status_changed();
  void log_line(std::string_view service, std::string_view line);

  std::size_t sessions() const { return sessions_.size(); }

 private:
  ControlBackend& backend() override { return backend_; }
  const Limits& limits() const override { return limits_; }
  void retire(Session& session) override;
  void accepted(UniqueFd connection);
  void begin(std::unique_ptr<io::ByteStream> client);
  void tell_status();

  io::Loop& loop_;
  ControlBackend& backend_;
  const Limits limits_;
  const uid_t allowed_uid_;
  Lifetime lifetime_;  // guards deferred work
  bool change_pending_ = false;
  std::map<Session*, std::unique_ptr<Session>> sessions_;
  io::Listener listener_;  // last: nobody is accepted while the rest goes
};

}  // namespace causeway::control
