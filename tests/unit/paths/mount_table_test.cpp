#include "paths/mount_table.h"

#include <doctest/doctest.h>

#include "mount_samples.h"

using namespace causeway::paths;

namespace {

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("paths/mount_table: <wsl> is found where automount.root puts it") {
  CHECK(find_wsl(parse_mountinfo(samples::kWsl)) == "/mnt/wsl");
  CHECK(find_wsl(parse_mountinfo(samples::kDebian)).empty());
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - tmpfs none rw\n")) == "/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /home/me/wsl rw - tmpfs none rw\n"
                                        "3 1 0:1 / /w/wsl rw - tmpfs none rw\n")) == "/w/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - ext4 a rw\n")).empty());
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /mnt/wsl/x rw - tmpfs a rw\n")).empty());
}

TEST_CASE("paths/mount_table: Windows drives, by type and by place") {
  CHECK(find_drives(parse_mountinfo(samples::kWsl), "/mnt/wsl") ==
        Strings{"/mnt/c", "/mnt/my disk"});
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  const auto mounts = parse_mountinfo(root +
                                      "2 1 0:1 / /c rw - overlay C:\\134 rw\n"
                                      "3 2 0:2 / /c/inner rw - 9p D rw,aname=drvfs;path=D\n"
                                      "4 1 0:3 / /d rw - virtiofs drvfsD rw\n"
                                      "5 1 0:4 / /data rw - ext4 b rw\n"
                                      "6 1 0:5 / /c-x rw - 9p E rw,aname=drvfs\n"
                                      "7 1 0:6 / /wsl rw - tmpfs none rw\n");
  CHECK(find_drives(mounts, "/wsl") == Strings{"/c", "/c-x", "/d"});
  CHECK(find_drives(mounts, "/mnt/wsl") == Strings{"/c-x", "/c/inner", "/d"});
  CHECK(find_drives(parse_mountinfo(samples::kDebian), "").empty());
}
