#include "app/log_file.h"

#include <windows.h>

#include <array>
#include <cstdio>

#include "windows/windows_text.h"

namespace causeway::shim::app {
namespace {

std::string_view name_of(log::Level level) {
  switch (level) {
    case log::Level::debug:
      return "debug";
    case log::Level::info:
      return "info";
    case log::Level::warning:
      return "warning";
    case log::Level::error:
      return "error";
  }
  return "error";
}

std::string timestamp() {
  SYSTEMTIME now{};
  GetLocalTime(&now);
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04u-%02u-%02uT%02u:%02u:%02u.%03u", now.wYear,
                now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond, now.wMilliseconds);
  return text.data();
}

}  // namespace

LogFile::LogFile(std::string path, log::Level least, bool echo)
    : path_(std::move(path)), least_(least), echo_(echo) {
  open();
}

void LogFile::open() {
  file_ = UniqueHandle(CreateFileW(to_wide(path_).c_str(), FILE_APPEND_DATA,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                   OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
  LARGE_INTEGER size{};
  size_ = file_ && GetFileSizeEx(file_.get(), &size) != 0
              ? static_cast<std::uint64_t>(size.QuadPart)
              : 0;
}

void LogFile::rotate() {
  file_.reset();
  const auto move = [](const std::string& from, const std::string& to) {
    MoveFileExW(to_wide(from).c_str(), to_wide(to).c_str(), MOVEFILE_REPLACE_EXISTING);
  };
  move(path_ + ".1", path_ + ".2");
  move(path_, path_ + ".1");
  open();
}

void LogFile::write(log::Level level, std::string_view line) {
  if (level < least_) return;
  std::string text = timestamp();
  text += ' ';
  text += name_of(level);
  text += ' ';
  for (const char c : line) text += c == '\n' || c == '\r' ? ' ' : c;
  text += "\r\n";
  const std::lock_guard<std::mutex> guard(mutex_);
  if (size_ > kMostBytes) rotate();
  DWORD written = 0;
  if (file_)
    WriteFile(file_.get(), text.data(), static_cast<DWORD>(text.size()), &written, nullptr);
  size_ += written;
  if (echo_) std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace causeway::shim::app
