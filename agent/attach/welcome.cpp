#include "attach/welcome.h"

#include <algorithm>

namespace causeway::attach {

std::string welcome(const control_api::ProductStatus& status) {
  const auto attached = std::count_if(
      status.distros.begin(), status.distros.end(),
      [](const auto& distro) { return distro.state == control_api::DistroState::attached; });
  std::string out = "docker-desktop: the engine is ";
  out += control_api::name_of(status.engine.state);
  if (!status.engine.reason.empty()) out += " (" + status.engine.reason + ")";
  out += ", " + std::to_string(attached) + (attached == 1 ? " distro" : " distros") +
         " integrated; `causeway status` tells more.\n";
  return out +
         "This is the engine's own root: your distros' files are at /mnt/distro, "
         "Windows' drives at /mnt/host.\n";
}

}  // namespace causeway::attach
