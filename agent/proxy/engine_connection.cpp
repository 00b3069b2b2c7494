#include "proxy/engine_connection.h"

#include <utility>

#include "io/endpoint.h"

namespace causeway::proxy {

Result<std::unique_ptr<EngineConnection>> EngineConnection::connect(io::Loop& loop,
                                                                    const std::string& path,
                                                                    Owner& owner) {
  auto fd = io::connect_unix(path);
  if (!fd.ok()) return std::move(fd).error();
  return std::unique_ptr<EngineConnection>(new EngineConnection(loop, std::move(*fd), owner));
}

EngineConnection::EngineConnection(io::Loop& loop, UniqueFd fd, Owner& owner)
    : owner_(owner), stream_(loop, std::move(fd), this) {
  stream_.resume(io::Stream::not_started);
}

}  // namespace causeway::proxy
