#include "app/instance.h"

#include <windows.h>
// sddl.h wants windows.h before it.
#include <sddl.h>

#include <vector>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

Result<std::string> user_sid() {
  HANDLE opened = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened) == 0)
    return windows_error("open this process's token", GetLastError());
  const UniqueHandle token(opened);
  DWORD size = 0;
  GetTokenInformation(token.get(), TokenUser, nullptr, 0, &size);
  std::vector<char> user(size);
  if (GetTokenInformation(token.get(), TokenUser, user.data(), size, &size) == 0)
    return windows_error("read this process's user", GetLastError());
  LPWSTR text = nullptr;
  if (ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid, &text) == 0)
    return windows_error("read this process's user", GetLastError());
  std::string sid = to_utf8(text);
  LocalFree(text);
  return sid;
}

}  // namespace

Result<InstanceNames> instance_names() {
  const auto sid = user_sid();
  if (!sid) return sid.error();
  return InstanceNames{R"(\\.\pipe\causeway_control_)" + *sid, R"(Local\causeway_shim_)" + *sid,
                       R"(Local\causeway_ready_)" + *sid};
}

Result<UniqueHandle> become_the_instance(const InstanceNames& names) {
  UniqueHandle mutex(CreateMutexW(nullptr, FALSE, to_wide(names.mutex).c_str()));
  const auto code = GetLastError();
  if (!mutex) return windows_error("make the mutex " + names.mutex, code);
  if (code == ERROR_ALREADY_EXISTS) mutex.reset();
  return mutex;
}

}  // namespace causeway::shim::app
