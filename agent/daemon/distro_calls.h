// The distros in the control API: the sections `distros` and `wanted`, and who is integrated.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/api.h"
#include "control_api/distros.h"
#include "shares/shares.h"

namespace causeway::daemon {

// The shares, as these calls need them.
struct DistroSource {
  std::function<std::vector<control_api::DistroStatus>()> distros;
  std::function<control_api::Wanted()> wanted;
  // Lets a distro be integrated from now on, or begins to undo its integration. ENOENT: no distro
  // of that name is known.
  std::function<Status(const std::string& distro, bool enabled)> enable;
  // ENOENT as well; any other error: it can't be now.
  std::function<Status(const std::string& distro)> forget;
  // Why its helper could not be started. EINVAL: that is no distro's name.
  std::function<Status(const std::string& distro, const std::string& reason)> failed;
};
DistroSource distro_source(shares::Shares& shares);

void add_distro_calls(control::Api& api, const DistroSource& source);

control_api::DistroStatus describe(const shares::DistroStatus& distro);

}  // namespace causeway::daemon
