#include "app/distro_registry.h"

#include <windows.h>

#include <algorithm>
#include <array>
#include <optional>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr const wchar_t* kLxss = L"Software\\Microsoft\\Windows\\CurrentVersion\\Lxss";

std::optional<DWORD> number(HKEY key, const wchar_t* entry, const wchar_t* value) {
  DWORD out = 0;
  DWORD size = sizeof(out);
  if (RegGetValueW(key, entry, value, RRF_RT_REG_DWORD, nullptr, &out, &size) != ERROR_SUCCESS)
    return std::nullopt;
  return out;
}

std::string text(HKEY key, const wchar_t* entry, const wchar_t* value) {
  std::array<wchar_t, 512> out{};
  DWORD size = sizeof(out);
  if (RegGetValueW(key, entry, value, RRF_RT_REG_SZ, nullptr, out.data(), &size) != ERROR_SUCCESS)
    return {};
  return to_utf8(out.data());
}

}  // namespace

Result<std::vector<Distro>> list_distros() {
  HKEY key = nullptr;
  const auto code = RegOpenKeyExW(HKEY_CURRENT_USER, kLxss, 0, KEY_READ, &key);
  std::vector<Distro> out;
  if (code == ERROR_FILE_NOT_FOUND) return out;
  if (code != ERROR_SUCCESS)
    return windows_error("read the WSL distros in the registry", static_cast<DWORD>(code));
  for (DWORD index = 0;; ++index) {
    std::array<wchar_t, 256> entry{};
    DWORD size = static_cast<DWORD>(entry.size());
    if (RegEnumKeyExW(key, index, entry.data(), &size, nullptr, nullptr, nullptr, nullptr) !=
        ERROR_SUCCESS)
      break;
    Distro distro;
    distro.name = text(key, entry.data(), L"DistributionName");
    if (distro.name.empty()) continue;
    // Absent in entries of WSL's first days, when there was version 1 only.
    distro.version = number(key, entry.data(), L"Version").value_or(1);
    distro.state = number(key, entry.data(), L"State").value_or(0);
    distro.default_uid = number(key, entry.data(), L"DefaultUid").value_or(0);
    out.push_back(std::move(distro));
  }
  RegCloseKey(key);
  std::sort(out.begin(), out.end(),
            [](const Distro& a, const Distro& b) { return a.name < b.name; });
  return out;
}

bool same_name(const std::string& a, const std::string& b) {
  const std::wstring left = to_wide(a);
  const std::wstring right = to_wide(b);
  return CompareStringOrdinal(left.c_str(), static_cast<int>(left.size()), right.c_str(),
                              static_cast<int>(right.size()), TRUE) == CSTR_EQUAL;
}

const Distro* find_distro(const std::vector<Distro>& distros, const std::string& name) {
  const auto found = std::find_if(distros.begin(), distros.end(), [&](const Distro& distro) {
    return same_name(distro.name, name);
  });
  return found == distros.end() ? nullptr : &*found;
}

}  // namespace causeway::shim::app
