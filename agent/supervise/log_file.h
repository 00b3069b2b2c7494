// LogFile appends to a log file and rotates it by size: engine.log, engine.log.1, engine.log.2, the
// oldest going. It is opened again by the next append() after any failure, so a full or missing
// disk costs what was to be written then, and nothing later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::supervise {

struct LogLimits {
  std::uint64_t max_bytes = std::uint64_t{10} * 1024 * 1024;
  unsigned files = 3;  // with the present one
  bool operator==(const LogLimits&) const = default;
};

class LogFile {
 public:
  LogFile(std::string path, LogLimits limits) : path_(std::move(path)), limits_(limits) {}

  // Makes the file ready for `bytes` more: opened, and rotated when they would not fit.
  Status prepare(std::size_t bytes);
  // Writes behind the end; how many bytes went in before an error goes to `written`.
  Status append(std::string_view bytes, std::size_t& written);
  std::uint64_t size() const { return size_; }  // after prepare()

  // The file's last bytes, at most `most`; empty when there is none.
  std::string tail(std::size_t most) const;
  // Takes back what stands behind `size`.
  Status truncate(std::uint64_t size);
  const std::string& path() const { return path_; }
  void set_limits(LogLimits limits) { limits_ = limits; }  // from the next write on

 private:
  Status open();
  void rotate();

  std::string path_;
  LogLimits limits_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace causeway::supervise
