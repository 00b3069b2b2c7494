// Stands for wsl.exe where a test installs and uninstalls: it notes how it was called, and changes
// the registry and the disk as wsl.exe does for --import and --unregister. Nothing runs in its
// distros.
//
//   %WSL_RECORDER%\calls      one line a call: its arguments, between tabs; and for `versions add`
//                             how many bytes its standard input had
//   %WSL_RECORDER%\no-wsl     when it is there: --version fails, as without WSL
//   …\import-fails, add-fails, unregister-fails: that fails, and the import leaves half of what it
//                             makes
#include <windows.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::wstring>;

constexpr const wchar_t* kDistros = L"Software\\Microsoft\\Windows\\CurrentVersion\\Lxss";

fs::path folder() {
  const wchar_t* told = _wgetenv(L"WSL_RECORDER");
  return told == nullptr ? L"." : told;
}

bool asked_for(const char* file) { return fs::exists(folder() / file); }

int fail(const char* text) {
  std::printf("%s\n", text);
  return -1;
}

// wsl.exe makes a disk in the folder, then registers it.
int import_distro(const std::wstring& name, const std::wstring& disk_folder,
                  const std::wstring& archive) {
  if (!fs::exists(archive)) return fail("The system cannot find the file specified.");
  fs::create_directories(disk_folder);
  std::ofstream(fs::path(disk_folder) / "ext4.vhdx") << "disk of " << fs::file_size(archive);
  const bool good = !asked_for("import-fails");
  wchar_t key[128];
  std::swprintf(key, 128, L"%ls\\{%08lx-0000-4000-8000-%012lx}", kDistros, GetTickCount(),
                GetCurrentProcessId());
  const DWORD state = good ? 1 : 3;
  const DWORD version = 2;
  const auto text = [&](const wchar_t* value, const std::wstring& content) {
    RegSetKeyValueW(HKEY_CURRENT_USER, key, value, REG_SZ, content.c_str(),
                    static_cast<DWORD>((content.size() + 1) * sizeof(wchar_t)));
  };
  text(L"DistributionName", name);
  text(L"BasePath", L"\\\\?\\" + disk_folder);
  RegSetKeyValueW(HKEY_CURRENT_USER, key, L"State", REG_DWORD, &state, sizeof state);
  RegSetKeyValueW(HKEY_CURRENT_USER, key, L"Version", REG_DWORD, &version, sizeof version);
  return good ? 0 : fail("Importing the distribution failed.");
}

std::optional<std::wstring> value(const std::wstring& key, const wchar_t* name) {
  wchar_t text[1024];
  DWORD size = sizeof text;
  if (RegGetValueW(HKEY_CURRENT_USER, key.c_str(), name, RRF_RT_REG_SZ, nullptr, text, &size) !=
      ERROR_SUCCESS)
    return std::nullopt;
  return text;
}

int unregister(const std::wstring& name) {
  if (asked_for("unregister-fails")) return fail("The distribution is in use.");
  HKEY distros = nullptr;
  if (RegOpenKeyExW(HKEY_CURRENT_USER, kDistros, 0, KEY_READ, &distros) != ERROR_SUCCESS)
    return fail("There is no distribution with the supplied name.");
  wchar_t guid[128];
  for (DWORD index = 0; RegEnumKeyW(distros, index, guid, 128) == ERROR_SUCCESS; ++index) {
    const std::wstring key = std::wstring(kDistros) + L"\\" + guid;
    if (value(key, L"DistributionName") != name) continue;
    auto place = value(key, L"BasePath").value_or(L"");
    if (place.starts_with(L"\\\\?\\")) place.erase(0, 4);
    RegCloseKey(distros);
    RegDeleteTreeW(HKEY_CURRENT_USER, key.c_str());
    fs::remove(fs::path(place) / "ext4.vhdx");
    return 0;
  }
  RegCloseKey(distros);
  return fail("There is no distribution with the supplied name.");
}

std::size_t count_input() {
  char bytes[64 * 1024];
  std::size_t count = 0;
  DWORD size = 0;
  while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &size, nullptr) && size > 0)
    count += size;
  return count;
}

std::string utf8(const std::wstring& text) {
  std::string out(text.size() * 3, '\0');
  out.resize(static_cast<std::size_t>(
      WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), out.data(),
                          static_cast<int>(out.size()), nullptr, nullptr)));
  return out;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
  const Arguments arguments(argv + 1, argv + argc);
  const bool adds = arguments.size() > 2 && arguments.back() == L"add";
  std::string line;
  for (const auto& argument : arguments) line += (line.empty() ? "" : "\t") + utf8(argument);
  if (adds) line += "\t" + std::to_string(count_input());
  std::ofstream(folder() / "calls", std::ios::app | std::ios::binary) << line << "\n";
  if (arguments.empty()) return fail("no arguments");
  if (arguments[0] == L"--version") return asked_for("no-wsl") ? fail("WSL is not installed.") : 0;
  if (arguments[0] == L"--import" && arguments.size() >= 4)
    return import_distro(arguments[1], arguments[2], arguments[3]);
  if (arguments[0] == L"--unregister" && arguments.size() == 2) return unregister(arguments[1]);
  if (adds && asked_for("add-fails")) return fail("versions: no space left; nothing is changed");
  return 0;
}
