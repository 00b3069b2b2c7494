#include "windows/windows_text.h"

#include <doctest/doctest.h>
#include <windows.h>

#include <shellapi.h>

using namespace causeway::shim;

TEST_CASE("host_shim/windows/windows_text: arguments survive the command line") {
  const std::vector<std::vector<std::string>> cases = {
      {"wsl.exe", "-d", "docker-desktop"},
      {"a b", "", "c\td"},
      {R"(C:\folder\)", R"(C:\with blank\)", R"(\\)"},
      {R"(say "hi")", R"(\"x\")", R"(tail\\")"},
      {"\xc3\xbc\xe4\xb8\xad"},
  };
  for (const auto& argv : cases) {
    // The program's name follows other rules: it is not what is tested.
    std::vector<std::string> whole = {"program"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    const auto line = to_wide(join_arguments(whole));
    int count = 0;
    wchar_t** split = CommandLineToArgvW(line.c_str(), &count);
    REQUIRE(split != nullptr);
    REQUIRE(count == static_cast<int>(whole.size()));
    for (int i = 0; i < count; ++i) CHECK(to_utf8(split[i]) == whole[static_cast<std::size_t>(i)]);
    LocalFree(split);
  }
}

TEST_CASE("host_shim/windows/windows_text: an error has its number") {
  const auto error = windows_error("open it", ERROR_ACCESS_DENIED);
  CHECK(error.message.starts_with("open it: "));
  CHECK(error.message.ends_with("(5)"));
  CHECK(error.code == ERROR_ACCESS_DENIED);
}
