// PathService is what the proxy needs of whoever knows the distros' files: engine paths for the
// paths of a request, a check before a container starts, and the way back for answers. The program
// that wires proxy and shares gives one; without one nothing is mapped.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine_api/route.h"
#include "paths/identity.h"

namespace causeway::proxy {

class PathService {
 public:
  struct Answer {
    int status = 0;       // 0: fine; else the client gets this status
    std::string message;  // with this text
    std::vector<std::string> paths;
  };
  // Called once, never within the call that it was given to, and within a time that the service
  // bounds. It may come after the one who asked has gone: the proxy guards against that.
  using Done = std::function<void(Answer)>;

  virtual ~PathService() = default;

  // References are good for the time of the call only.

  // Engine paths of `sources`, one for each, in order.
  virtual void map(const paths::Identity& identity, const engine_api::Route& route,
                   std::vector<std::string> sources, Done done) = 0;
  // Before POST /containers/{id}/start and restart: do the container's bind sources still mean what
  // they did, and are their shares there?
  virtual void check(const paths::Identity& identity, std::string container, Done done) = 0;
  // What `identity` calls an engine path; a path that is none of ours comes back as it is.
  virtual std::string unmap(const paths::Identity& identity, std::string_view engine_path) = 0;
  // The same for each engine path within a message.
  virtual std::string unmap_text(const paths::Identity& identity, std::string_view text) = 0;
};

}  // namespace causeway::proxy
