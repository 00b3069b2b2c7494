// One child process with overlapped pipes for its stdin, stdout and stderr, in a job that kills it.
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "windows/pipe_security.h"
#include "windows/unique_handle.h"

namespace causeway::shim {

struct ChildProcess {
  UniqueHandle process;
  UniqueHandle input;  // our ends, overlapped
  UniqueHandle output;
  UniqueHandle errors;
  UniqueHandle job;  // closed: everything in it is killed
  std::uint32_t pid = 0;
};

// `extra` are variables set on top of our own environment. The child inherits its three handles and
// no other.
Result<ChildProcess> start_child(const PipeSecurity& security, const std::vector<std::string>& argv,
                                 const std::vector<std::pair<std::string, std::string>>& extra);

}  // namespace causeway::shim
