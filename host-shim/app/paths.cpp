#include "app/paths.h"

#include <windows.h>

#include "base/text.h"
#include "windows/unique_handle.h"
#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

constexpr DWORD kMostBytes = 1 << 20;

Status write_all(HANDLE file, const std::string& content, const std::string& path) {
  DWORD written = 0;
  if (WriteFile(file, content.data(), static_cast<DWORD>(content.size()), &written, nullptr) == 0 ||
      written != content.size())
    return windows_error("write " + path, GetLastError());
  if (FlushFileBuffers(file) == 0) return windows_error("flush " + path, GetLastError());
  return Ok{};
}

}  // namespace

Result<Paths> find_paths() {
  std::wstring base(MAX_PATH, L'\0');
  const DWORD size =
      GetEnvironmentVariableW(L"LOCALAPPDATA", base.data(), static_cast<DWORD>(base.size()));
  if (size == 0 || size >= base.size())
    return make_error("the environment has no LOCALAPPDATA: start this from a user's session");
  base.resize(size);
  Paths paths;
  paths.folder = to_utf8(base) + "\\Causeway";
  if (CreateDirectoryW(to_wide(paths.folder).c_str(), nullptr) == 0 &&
      GetLastError() != ERROR_ALREADY_EXISTS)
    return windows_error("make the folder " + paths.folder, GetLastError());
  paths.settings = paths.folder + "\\settings.json";
  paths.distros = paths.folder + "\\distros.json";
  paths.log = paths.folder + "\\causeway.log";
  return paths;
}

Result<std::string> read_file(const std::string& path) {
  const UniqueHandle file(CreateFileW(to_wide(path).c_str(), GENERIC_READ,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                      nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file) return windows_error("open " + path, GetLastError());
  LARGE_INTEGER size{};
  if (GetFileSizeEx(file.get(), &size) == 0) return windows_error("read " + path, GetLastError());
  if (size.QuadPart > kMostBytes) return make_error(path + " is larger than 1 MiB");
  std::string content(static_cast<std::size_t>(size.QuadPart), '\0');
  DWORD read = 0;
  if (ReadFile(file.get(), content.data(), static_cast<DWORD>(content.size()), &read, nullptr) == 0)
    return windows_error("read " + path, GetLastError());
  content.resize(read);
  auto text = text::from_file(std::move(content));
  if (!text) return std::move(text).error().with(path);
  return text;
}

Status write_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  {
    const UniqueHandle file(CreateFileW(to_wide(temporary).c_str(), GENERIC_WRITE, 0, nullptr,
                                        CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
    if (!file) return windows_error("open " + temporary, GetLastError());
    if (auto done = write_all(file.get(), content, temporary); !done) return done;
  }
  if (MoveFileExW(to_wide(temporary).c_str(), to_wide(path).c_str(),
                  MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) == 0)
    return windows_error("rename " + temporary, GetLastError());
  return Ok{};
}

}  // namespace causeway::shim::app
