#include "app/autostart.h"

#include <windows.h>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr const wchar_t* kRunKey = L"Software\\Microsoft\\Windows\\CurrentVersion\\Run";
constexpr const wchar_t* kValue = L"Causeway";

}  // namespace

Status install_autostart(const std::string& program) {
  const std::wstring command = to_wide(join_arguments({program, "start"}));
  const auto code = RegSetKeyValueW(HKEY_CURRENT_USER, kRunKey, kValue, REG_SZ, command.c_str(),
                                    static_cast<DWORD>((command.size() + 1) * sizeof(wchar_t)));
  if (code != ERROR_SUCCESS)
    return windows_error("write the value Causeway of HKCU\\...\\Run", static_cast<DWORD>(code));
  return Ok{};
}

Result<bool> remove_autostart() {
  const auto code = RegDeleteKeyValueW(HKEY_CURRENT_USER, kRunKey, kValue);
  if (code == ERROR_FILE_NOT_FOUND) return false;
  if (code != ERROR_SUCCESS)
    return windows_error("remove the value Causeway of HKCU\\...\\Run", static_cast<DWORD>(code));
  return true;
}

std::optional<std::string> autostart_command() {
  std::wstring text(4096, L'\0');
  DWORD size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
  if (RegGetValueW(HKEY_CURRENT_USER, kRunKey, kValue, RRF_RT_REG_SZ, nullptr, text.data(),
                   &size) != ERROR_SUCCESS)
    return std::nullopt;
  text.resize(size / sizeof(wchar_t));
  while (!text.empty() && text.back() == L'\0') text.pop_back();
  return to_utf8(text);
}

}  // namespace causeway::shim::app
