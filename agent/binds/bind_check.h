// BindCheck looks at a container's bind sources before dockerd mounts them, for a start or for
// docker cp: a share may be away, and a part of a path that was a directory when the container was
// made may be a symbolic link now. runc and dockerd would follow that link in the engine's own
// root, and the container get, or docker cp write, the engine's files.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "binds/source_mapper.h"
#include "http_client/http_client.h"

namespace causeway::binds {

class BindCheck {
 public:
  // All outlive it. `docker_root`: dockerd's data, for the devices of volumes.
  BindCheck(Distros& distros, http_client::HttpClient& engine, std::string docker_root,
            Limits limits = {});

  // `container`: an id, a part of one, or a name. `done` is called once, later: status 0; 409 and
  // why; or another one, and why the container can't be looked at. What isn't known is not fine:
  // only a container that dockerd says it hasn't may pass, so that dockerd says so itself.
  using Done = std::function<void(int status, std::string message)>;
  void check(const std::string& container, Done done);

 private:
  struct Job;
  void inspected(const std::shared_ptr<Job>& job, const Result<http_client::Reply>& reply);
  void look(const std::shared_ptr<Job>& job);
  void resolved(const std::shared_ptr<Job>& job, const std::string& distro,
                const std::vector<Result<std::string>>& found);

  Distros& distros_;
  http_client::HttpClient& engine_;
  const std::string docker_root_;
  const Limits limits_;
  Lifetime lifetime_;
};

}  // namespace causeway::binds
