#include "shares/shares.h"

namespace causeway::shares {

std::string_view name_of(DistroState state) {
  switch (state) {
    case DistroState::attached:
      return "attached";
    case DistroState::waiting:
      return "waiting";
    case DistroState::refused:
      return "refused";
    case DistroState::disabled:
      return "disabled";
    case DistroState::stopped:
      return "stopped";
  }
  return "stopped";
}

}  // namespace causeway::shares
