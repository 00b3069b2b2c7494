#include "control/control_server.h"

#include <sys/socket.h>

#include <string>
#include <utility>

#include "base/log.h"
#include "control_api/errors.h"
#include "http/writer.h"
#include "io/endpoint.h"
#include "io/stream.h"

namespace causeway::control {
namespace {

// The whole answer fits into an empty socket buffer; a client that never reads it loses nothing
// else.
void turn_away(UniqueFd connection, int status, std::string_view message) {
  const std::string body = control_api::error_json(message);
  http::Response response;
  response.status = status;
  response.body = body;
  response.keep_alive = false;
  const std::string answer = http::write(response);
  [[maybe_unused]] const auto sent =
      ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

ControlServer::ControlServer(io::Loop& loop, UniqueFd listening, const Calls& calls, Limits limits,
                             uid_t allowed_uid)
    : loop_(loop),
      calls_(calls),
      limits_(limits),
      allowed_uid_(allowed_uid),
      listener_(loop, std::move(listening), [this](UniqueFd fd) { accepted(std::move(fd)); }) {}

ControlServer::~ControlServer() = default;

void ControlServer::accepted(UniqueFd connection) {
  const auto peer = io::peer_of(connection.get());
  if (!peer || peer->uid != allowed_uid_) {
    log::warning("control.refused", {{"uid", peer ? std::to_string(peer->uid) : "unknown"}});
    return turn_away(std::move(connection), 403, "only root may use the control socket");
  }
  if (sessions_.size() >= limits_.sessions)
    return turn_away(std::move(connection), 503,
                     std::to_string(limits_.sessions) +
                         " connections to the control socket are open; close some followers");
  begin(std::make_unique<io::Stream>(loop_, std::move(connection), nullptr), true);
}

std::unique_ptr<io::ByteStream> ControlServer::serve(std::unique_ptr<io::ByteStream> client) {
  if (sessions_.size() >= limits_.sessions || others_ >= (limits_.sessions + 1) / 2) {
    return client;
  }
  begin(std::move(client), false);
  return nullptr;
}

void ControlServer::begin(std::unique_ptr<io::ByteStream> client, bool of_socket) {
  auto session =
      std::make_unique<Session>(static_cast<Session::Owner&>(*this), loop_, std::move(client));
  Session* const key = session.get();
  if (!of_socket) ++others_;
  sessions_.emplace(key, Served{std::move(session), of_socket});
}

// It is in the middle of a call of its own, or of a walk over all sessions.
void ControlServer::retire(Session& session) {
  loop_.defer(lifetime_.guard([this, key = &session] {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) return;
    if (!found->second.of_socket) --others_;
    sessions_.erase(found);
  }));
}

}  // namespace causeway::control
