// What a machine without another init has to be told before an engine runs: its loopback interface
// is down, and it has no name. (In WSL, and in a namespace, that is done.)
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::init {

// The host name in the text of /etc/hostname: its first line that is no comment; "localhost" when
// there is none that can be one (hostname(5)).
std::string host_name(std::string_view etc_hostname);

// Takes up `lo` and sets the host name from /etc/hostname, each unless somebody has: the machine
// may be a PID namespace of another's. What fails is told to `skipped`.
void wake_machine(const std::function<void(const Error&)>& skipped);

}  // namespace causeway::init
