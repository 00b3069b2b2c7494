#include "attach/engine_start.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>

#include "support/temp_dir.h"

using namespace causeway;
namespace fs = std::filesystem;

TEST_CASE("attach/engine_start: which version runs") {
  const test::TempDir folder;
  const std::string versions = folder / "versions";
  const auto current = [&] {
    auto got = attach::current_version(versions);
    return got ? *got : "error: " + got.error().message;
  };
  CHECK(current().empty());  // no versions: the distro's own root
  fs::create_directories(versions);
  CHECK(current() == "error: " + versions +
                         " holds 0 versions, and no link `current` says which of them to run");
  fs::create_directories(versions + "/1.0");
  CHECK(current() == "1.0");
  fs::create_directories(versions + "/1.1");
  CHECK(current().starts_with("error: "));
  fs::create_directory_symlink("1.1", versions + "/current");
  CHECK(current() == "1.1");
  fs::remove(versions + "/current");
  fs::create_directory_symlink("../outside", versions + "/current");
  CHECK(current().starts_with("error: "));
  fs::remove(versions + "/current");
  fs::create_directory_symlink("2.0", versions + "/current");
  CHECK(current().find("there is no such version") != std::string::npos);
}
