#include "windows/pipe_security.h"

#include <sddl.h>

#include <vector>

#include "windows/unique_handle.h"
#include "windows/windows_text.h"

namespace causeway::shim {
namespace {

UniqueHandle own_token() {
  HANDLE token = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return UniqueHandle();
  return UniqueHandle(token);
}

}  // namespace

Result<PipeSecurity> PipeSecurity::for_this_user() {
  const auto token = own_token();
  DWORD size = 0;
  GetTokenInformation(token.get(), TokenUser, nullptr, 0, &size);
  std::vector<char> user(size);
  if (!token || !GetTokenInformation(token.get(), TokenUser, user.data(), size, &size))
    return windows_error("find out who this user is", GetLastError());
  wchar_t* sid = nullptr;
  if (!ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid, &sid))
    return windows_error("write this user's SID", GetLastError());
  const std::unique_ptr<void, LocalFreed> freed(sid);

  PipeSecurity security;
  security.sddl_ = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + to_utf8(sid) + ")";
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(to_wide(security.sddl_).c_str(),
                                                            SDDL_REVISION_1, &descriptor, nullptr))
    return windows_error("make the security descriptor of the pipes", GetLastError());
  security.descriptor_.reset(descriptor);
  return security;
}

SECURITY_ATTRIBUTES PipeSecurity::attributes() const {
  return {sizeof(SECURITY_ATTRIBUTES), descriptor_.get(), FALSE};
}

bool elevated() {
  const auto token = own_token();
  TOKEN_ELEVATION_TYPE type = TokenElevationTypeDefault;
  DWORD size = 0;
  return token && GetTokenInformation(token.get(), TokenElevationType, &type, sizeof type, &size) &&
         type == TokenElevationTypeFull;
}

}  // namespace causeway::shim
