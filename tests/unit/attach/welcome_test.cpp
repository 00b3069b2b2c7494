#include "attach/welcome.h"

#include <doctest/doctest.h>

using namespace causeway;

TEST_CASE("attach/welcome: what a person reads first") {
  control_api::ProductStatus status;
  status.engine.state = control_api::EngineState::starting;
  status.engine.reason = "dockerd starts";
  status.distros.resize(3);
  status.distros[0].state = control_api::DistroState::attached;
  status.distros[1].state = control_api::DistroState::stopped;
  CHECK(attach::welcome(status).starts_with(
      "docker-desktop: the engine is starting (dockerd starts), 1 distro integrated;"));
}
