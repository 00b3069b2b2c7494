// The log of the Windows program: one line an event, rotated by size. A log that can't be written
// loses lines, and nothing else.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.h"
#include "windows/unique_handle.h"

namespace causeway::shim::app {

class LogFile {
 public:
  static constexpr std::uint64_t kMostBytes = 1 << 20;  // then it becomes PATH.1, and that PATH.2

  // `echo`: also to standard error, for a person in front of it.
  LogFile(std::string path, log::Level least, bool echo);

  // From any thread.
  void write(log::Level level, std::string_view line);

 private:
  void open();
  void rotate();

  const std::string path_;
  const log::Level least_;
  const bool echo_;
  std::mutex mutex_;
  UniqueHandle file_;
  std::uint64_t size_ = 0;
};

}  // namespace causeway::shim::app
