// Start at logon: the value "Causeway" of HKCU\Software\Microsoft\Windows\CurrentVersion\Run.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace causeway::shim::app {

// `program` is causewayw.exe: the one without a console window. Replaces an older value of ours.
Status install_autostart(const std::string& program);
// False: there was none.
Result<bool> remove_autostart();
// The command line that is there.
std::optional<std::string> autostart_command();

}  // namespace causeway::shim::app
