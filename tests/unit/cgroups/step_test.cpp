#include "cgroups/step.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/file.h"
#include "support/temp_dir.h"

using namespace causeway;
using namespace causeway::cgroups;
using test::TempDir;

namespace {

Step make(Step::Kind kind, std::string target, std::string source = "", std::string data = "",
          bool required = true) {
  Step step;
  step.kind = kind;
  step.target = std::move(target);
  step.source = std::move(source);
  step.data = std::move(data);
  step.required = required;
  return step;
}

}  // namespace

TEST_CASE("cgroups/step: directories, links, writes and copies") {
  const TempDir scratch;
  const std::string& at = scratch.path;
  REQUIRE(file::write_atomic(at + "/cpus", "0-1\n").ok());
  REQUIRE(file::write_atomic(at + "/copy", "").ok());
  REQUIRE(file::write_atomic(at + "/control", "").ok());
  int skipped = 0;
  const auto done = carry_out(
      {
          make(Step::Kind::make_directory, at + "/a/b"),
          make(Step::Kind::make_symlink, at + "/c/d/link", "/run"),
          make(Step::Kind::make_symlink, at + "/c/d/link", "/elsewhere"),
          make(Step::Kind::copy_file, at + "/copy", at + "/cpus"),
          make(Step::Kind::write_file, at + "/control", "", "+cpu"),
      },
      [&](const Error&) { ++skipped; });
  CHECK(done.ok());
  CHECK(skipped == 0);
  CHECK(access((at + "/a/b").c_str(), F_OK) == 0);
  std::array<char, 64> link{};
  REQUIRE(readlink((at + "/c/d/link").c_str(), link.data(), link.size() - 1) > 0);
  CHECK(std::string(link.data()) == "/run");
  CHECK(*file::read(at + "/copy") == "0-1\n");
  CHECK(*file::read(at + "/control") == "+cpu");
}

TEST_CASE("cgroups/step: a required failure ends it, an optional one is told") {
  const TempDir scratch;
  const std::string missing = scratch.path + "/missing";
  std::string told;
  const auto done = carry_out(
      {
          make(Step::Kind::write_file, missing, "", "1", false),
          make(Step::Kind::copy_file, missing, scratch.path + "/none"),
          make(Step::Kind::make_directory, scratch.path + "/never"),
      },
      [&](const Error& error) { told += error.message; });
  REQUIRE_FALSE(done.ok());
  CHECK(told == "write '1' to " + missing + ": open " + missing + ": No such file or directory");
  CHECK(done.error().message.starts_with("copy " + scratch.path + "/none to "));
  CHECK(access((scratch.path + "/never").c_str(), F_OK) != 0);
  CHECK(access(missing.c_str(), F_OK) != 0);
}

TEST_CASE("cgroups/step: groups are removed depth first, what holds files stays") {
  const TempDir scratch;
  const std::string& at = scratch.path;
  REQUIRE(file::make_directories(at + "/g/a/b").ok());
  REQUIRE(file::make_directories(at + "/g/busy").ok());
  REQUIRE(file::write_atomic(at + "/g/busy/file", "x").ok());
  CHECK(carry_out({make(Step::Kind::remove_groups, at + "/g"),
                   make(Step::Kind::remove_groups, at + "/none")},
                  [](const Error&) {})
            .ok());
  CHECK(access((at + "/g/a").c_str(), F_OK) != 0);
  CHECK(access((at + "/g/busy/file").c_str(), F_OK) == 0);
}
