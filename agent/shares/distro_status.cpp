#include "shares/distro_status.h"

namespace causeway::shares {

std::string_view name_of(DistroState state) {
  switch (state) {
    case DistroState::attached:
      return "attached";
    case DistroState::waiting:
      return "waiting";
    case DistroState::refused:
      return "refused";
    case DistroState::failed:
      return "failed";
    case DistroState::disabled:
      return "disabled";
    case DistroState::stopped:
      return "stopped";
  }
  return "stopped";
}

Description describe(const DistroFacts& facts) {
  const bool leaving = facts.share == ShareState::detaching;
  if (!facts.enabled) {
    const bool over = !leaving && facts.helper == HelperState::none;
    return {DistroState::disabled, over ? "" : "the integration is being removed"};
  }
  // A refusal beside an attached share is of another distro of that name.
  if (facts.share == ShareState::attached) return {DistroState::attached, facts.refusal};
  if (facts.helper == HelperState::arriving)
    return {DistroState::waiting,
            leaving ? "it was started again while its containers are being stopped"
                    : "its files are on the way"};
  if (leaving)
    return {DistroState::stopped,
            "it has stopped; the containers that use its files are being stopped"};
  if (!facts.refusal.empty()) return {DistroState::refused, facts.refusal};
  if (!facts.failure.empty() && facts.helper == HelperState::none)
    return {DistroState::failed, facts.failure};
  if (facts.wanted) return {DistroState::waiting, "asked for; it has not been started yet"};
  if (!facts.not_started.empty())
    return {DistroState::stopped, "Windows did not start it: " + facts.not_started};
  return {DistroState::stopped, ""};
}

}  // namespace causeway::shares
