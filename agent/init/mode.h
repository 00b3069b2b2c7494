// Which kind of machine init runs on, decided once at start, and whether its kernel will do.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::init {

enum class Mode {
  pid1,   // PID 1 of a VM, which it powers off at the end; or of a PID namespace made by somebody
          // else
  wsl,    // a WSL distro: own PID and mount namespace below WSL's init
  plain,  // any Linux machine: as wsl, but the root file system isn't ours to shape
};

std::string_view name(Mode mode);

// "pid1", "wsl", "plain"; "auto" gives no mode, which means detect_mode().
Result<std::optional<Mode>> parse_mode(std::string_view text);

struct ModeInputs {
  int pid = 0;                  // getpid()
  std::string kernel_release;   // uname -r
  std::string wsl_distro_name;  // $WSL_DISTRO_NAME, empty when unset
};

// `exists` answers whether a path exists; it is asked only when the inputs don't decide.
Mode detect_mode(const ModeInputs& inputs, const std::function<bool(const std::string&)>& exists);

// Linux 5.15 is the floor: open_tree, mount_setattr, cgroup.kill and pidfd_getfd are taken for
// granted. The error names the version found.
Status check_kernel(std::string_view release);

}  // namespace causeway::init
