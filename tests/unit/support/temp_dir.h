// TempDir is a directory of the test's own. It goes at the end, with all that is in it.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace causeway::test {

struct TempDir {
  explicit TempDir(std::string_view parent = "/tmp") : path(make(parent)) {}
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string operator/(std::string_view name) const { return path + "/" + std::string(name); }

  const std::string path;

 private:
  static std::string make(std::string_view parent) {
    std::string name = std::string(parent) + "/causeway-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
  }
};

}  // namespace causeway::test
