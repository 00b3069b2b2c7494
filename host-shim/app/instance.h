// One shim a user: the mutex that says so, and the names of what belongs to that user's shim.
#pragma once

#include <string>

#include "base/result.h"
#include "windows/unique_handle.h"

namespace causeway::shim::app {

struct InstanceNames {
  std::string control_pipe;  // \\.\pipe\causeway_control_SID
  std::string mutex;
  std::string ready;  // an event: whoever starts a shim makes it, the shim sets it when it serves
};
Result<InstanceNames> instance_names();

// Held as long as the handle; empty when another shim of this user runs.
Result<UniqueHandle> become_the_instance(const InstanceNames& names);

}  // namespace causeway::shim::app
