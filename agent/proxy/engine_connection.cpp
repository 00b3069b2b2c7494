#include "proxy/engine_connection.h"

#include <utility>

#include "io/endpoint.h"

namespace causeway::proxy {
namespace {
// The docker commands that run side by side on a busy machine; each costs the engine a goroutine.
// It protects the engine from a rush that left them behind; nobody waits for one.
constexpr std::size_t kMostIdle = 8;
}  // namespace

Result<std::unique_ptr<EngineConnection>> EngineConnection::connect(io::Loop& loop,
                                                                    const std::string& path,
                                                                    Owner& owner) {
  auto fd = io::connect_unix(path);
  if (!fd.ok()) return std::move(fd).error();
  return std::unique_ptr<EngineConnection>(new EngineConnection(loop, std::move(*fd), owner));
}

EngineConnection::EngineConnection(io::Loop& loop, UniqueFd fd, Owner& owner)
    : owner_(&owner), stream_(loop, std::move(fd), this) {
  stream_.resume(io::Stream::not_started);
}

void IdleEngineConnections::keep(std::unique_ptr<EngineConnection> connection) {
  if (idle_.size() >= kMostIdle) return;
  auto idle = std::make_unique<Idle>(*this);
  connection->set_owner(*idle);
  idle->connection_ = std::move(connection);
  idle_.push_back(std::move(idle));
}

// The one used last: it is the least likely to have been closed.
std::unique_ptr<EngineConnection> IdleEngineConnections::take() {
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back()->connection_);
  idle_.pop_back();
  return connection;
}

void IdleEngineConnections::drop(Idle* idle) {
  idle_.remove_if([idle](const auto& other) { return other.get() == idle; });
}

}  // namespace causeway::proxy
