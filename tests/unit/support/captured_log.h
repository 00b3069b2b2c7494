// While it lives what this process logs goes to a file of its own.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "support/temp_dir.h"

namespace causeway::test {

class CapturedLog {
 public:
  CapturedLog() {
    const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    REQUIRE(::dup2(file.get(), STDERR_FILENO) == STDERR_FILENO);
    log::init("test", log::Level::info);
  }
  ~CapturedLog() { ::dup2(before_.get(), STDERR_FILENO); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const { return *file::read(path_); }
  std::size_t lines() const {
    const std::string all = text();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
  }
  bool has(std::string_view part) const { return text().find(part) != std::string::npos; }

 private:
  const TempDir directory_;
  const std::string path_ = directory_ / "log";
  const UniqueFd before_{::dup(STDERR_FILENO)};
};

}  // namespace causeway::test
