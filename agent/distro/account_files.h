// Changes to /etc/group and its like: under the lock that passwd(1), usermod(8) and their like hold
// (lckpwdf(3)), as far as that exists here, and never over somebody else's change.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "distro/root_files.h"

namespace causeway::distro {

// Gets the text, gives the new one, or nothing when it is fine as it is. Called again when somebody
// else changed the file meanwhile.
using AccountEdit = std::function<Result<std::optional<std::string>>(const std::string&)>;

// True when the file was changed. Code EAGAIN: another program holds the lock, which nobody can
// wait for without a bound (an editor may be open); an event of /etc tells when to try again. Code
// ENOENT: no such file.
Result<bool> edit_account_file(const RootFiles& files, const std::string& path,
                               const AccountEdit& edit);

}  // namespace causeway::distro
