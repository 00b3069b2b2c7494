// The docker context `causeway` in the default user's home: for those whose current context is
// another one.
#pragma once

#include <optional>
#include <vector>

#include "distro/account.h"
#include "distro/manifest.h"
#include "distro/root_files.h"
#include "handover/distro_report.h"
#include "paths/mount_table.h"

namespace causeway::distro {

// Made as the user, below the home, through no link. No home: nothing. Left alone where the home's
// contexts lie on one of Windows' drives: they are those of the docker there, for which our
// socket's path means nothing.
std::vector<handover::DistroReport::Item> ensure_context(const RootFiles& files, Manifest& manifest,
                                                         const std::optional<Account>& user,
                                                         const std::vector<paths::Drive>& drives);

}  // namespace causeway::distro
