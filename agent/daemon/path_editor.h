// PathEditor gives the engine its own paths for those of a distro or of Windows, and clients theirs
// for the engine's. Before dockerd mounts a container's bind sources (for a start, or for docker
// cp) it looks whether they still mean what they did, and whether their shares are there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "binds/bind_check.h"
#include "binds/distros.h"
#include "binds/source_mapper.h"
#include "engine_api/findings.h"
#include "engine_api/route.h"
#include "paths/identity.h"
#include "proxy/request_editor.h"

namespace causeway::daemon {

class PathEditor final : public proxy::RequestEditor {
 public:
  // All outlive it, and answer no more once it has gone.
  PathEditor(const binds::Distros& distros, binds::SourceMapper& mapper, binds::BindCheck& check)
      : distros_(distros), mapper_(mapper), check_(check) {}

  // Whether dockerd may be part of a swarm, so that services may have host paths: not beside
  // live-restore. From the next request on; not before it is said.
  void allow_swarm(bool allowed) { swarm_ = allowed; }

  Interest interest(const paths::Identity& identity, const engine_api::Route& route) const override;
  void edit(const Request& request, Done done) override;
  std::string client_path(const paths::Identity& identity, std::string_view engine_path) override;
  std::string client_text(const paths::Identity& identity, std::string_view text) override;

 private:
  void map(const paths::Identity& identity,
           const std::shared_ptr<const engine_api::Findings>& findings, Done done);

  const binds::Distros& distros_;
  binds::SourceMapper& mapper_;
  binds::BindCheck& check_;
  bool swarm_ = false;
};

}  // namespace causeway::daemon
