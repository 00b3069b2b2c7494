#include "attach/attach_line.h"

#include <algorithm>

#include "json/json.h"

namespace causeway::attach {

using json::Json;

std::string attach_line(const control_api::LinkContact& contact, std::string_view vm_id,
                        std::string_view version) {
  return "CAUSEWAY/1 " +
         Json::object({{"version", std::string(version)},
                       {"major", static_cast<std::int64_t>(contact.major)},
                       {"vm_id", std::string(vm_id)},
                       {"port", static_cast<std::int64_t>(contact.port)},
                       {"nonce", contact.nonce}})
             .dump() +
         "\n";
}

bool is_vm_id(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}')
    text = text.substr(1, text.size() - 2);
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

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
         "This is the engine's own root: your distros' files are at /mnt/distro, Windows' drives "
         "at "
         "/mnt/host.\n";
}

}  // namespace causeway::attach
