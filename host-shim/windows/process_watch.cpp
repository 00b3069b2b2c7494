#include "windows/process_watch.h"

#include <utility>

#include "windows/windows_text.h"

namespace causeway::shim {

Result<std::unique_ptr<ProcessWatch>> ProcessWatch::start(HANDLE process, DWORD limit_ms,
                                                          std::function<void(bool)> told) {
  std::unique_ptr<ProcessWatch> watch(new ProcessWatch(std::move(told)));
  const auto tell = [](void* context, BOOLEAN too_long) {
    static_cast<ProcessWatch*>(context)->told_(too_long == FALSE);
  };
  if (RegisterWaitForSingleObject(&watch->wait_, process, tell, watch.get(), limit_ms,
                                  WT_EXECUTEONLYONCE) == 0)
    return windows_error("wait for a process", GetLastError());
  return watch;
}

ProcessWatch::~ProcessWatch() {
  if (wait_ != nullptr) UnregisterWaitEx(wait_, INVALID_HANDLE_VALUE);
}

}  // namespace causeway::shim
