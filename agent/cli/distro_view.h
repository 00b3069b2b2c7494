// The distros as people are shown them, in `causeway status` and `causeway distro`. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"
#include "control_api/distros.h"

namespace causeway::cli {

// A table; below each distro why it isn't attached, what was left alone, what failed, what is to be
// done. With `every_item` also what was added and kept.
std::string distro_table(const std::vector<control_api::DistroStatus>& distros, bool every_item,
                         const Terminal& terminal);

}  // namespace causeway::cli
