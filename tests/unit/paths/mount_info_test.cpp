#include "paths/mount_info.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::paths;

TEST_CASE("paths/mount_info: fields, escapes and propagation") {
  const auto mounts = parse_mountinfo(
      "86 85 0:31 /a\\040b /mnt/with\\134slash rw shared:1 master:2 - 9p C:\\134 rw,aname=drvfs\n"
      "87 85 0:32 / /no/super rw - tmpfs none\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].id == 86);
  CHECK(mounts[0].parent == 85);
  CHECK(mounts[0].device == "0:31");
  CHECK(mounts[0].root == "/a b");
  CHECK(mounts[0].mount_point == "/mnt/with\\slash");
  CHECK(mounts[0].propagation == "shared:1 master:2");
  CHECK(mounts[0].source == "C:\\");
  CHECK(mounts[0].has_super_option("aname=drvfs"));
  CHECK_FALSE(mounts[0].has_super_option("aname"));
  CHECK(mounts[1].super_options.empty());
}

TEST_CASE("paths/mount_info: the last field is all that is left, and as it stands") {
  struct Case {
    const char* behind_dash;
    const char* type;
    const char* source;
    const char* super_options;
  };
  for (const auto& one : {
           Case{"9p drvfs rw,aname=drvfs;path=D:\\My Documents\\work;uid=0,trans=virtio", "9p",
                "drvfs", "rw,aname=drvfs;path=D:\\My Documents\\work;uid=0,trans=virtio"},
           // No escape: Windows has folders of such names.
           Case{"9p drvfs rw,aname=drvfs;path=C:\\040 x", "9p", "drvfs",
                "rw,aname=drvfs;path=C:\\040 x"},
           Case{"9p drvfs rw,path=C:\\a - tmpfs none rw", "9p", "drvfs",
                "rw,path=C:\\a - tmpfs none rw"},
           Case{"fuse.x a\\040b rw,  two blanks ", "fuse.x", "a b", "rw,  two blanks "},
           Case{"tmpfs  rw,mode=755", "tmpfs", "", "rw,mode=755"},
           Case{"tmpfs none", "tmpfs", "none", ""},
       }) {
    CAPTURE(one.behind_dash);
    for (const char* optional : {"", "shared:1 ", "shared:1 master:2 "}) {
      const auto mounts = parse_mountinfo(std::string("86 85 0:31 / /a\\040b rw ") + optional +
                                          "- " + one.behind_dash + "\n");
      REQUIRE(mounts.size() == 1);
      CHECK(mounts[0].mount_point == "/a b");
      CHECK(mounts[0].fs_type == one.type);
      CHECK(mounts[0].source == one.source);
      CHECK(mounts[0].super_options == one.super_options);
    }
  }
}

TEST_CASE("paths/mount_info: malformed lines are left out") {
  CHECK(parse_mountinfo("").empty());
  CHECK(parse_mountinfo("nonsense\n\n1 2 3\n").empty());
  CHECK(parse_mountinfo("x 85 0:31 / /mnt rw - tmpfs none rw\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt rw tmpfs none rw\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt rw - tmpfs\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt rw shared:1\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt\n").empty());
}

TEST_CASE("paths/mount_info: an over-mounted mount is not visible") {
  const auto mounts = parse_mountinfo(
      "1 0 8:1 / / rw - ext4 a rw\n"
      "2 1 0:1 / /sys rw - sysfs s rw\n"
      "3 2 0:2 / /sys/fs/cgroup rw - cgroup2 c rw\n"
      "4 1 0:3 / /sys rw - tmpfs t rw\n"
      "5 4 0:4 / /sys rw - tmpfs top rw\n");
  // 4 covers 2 although both hang on 1: the later one wins.
  CHECK(mount_of(mounts, "/sys")->id == 5);
  CHECK(mounted_at(mounts, "/sys/fs/cgroup") == nullptr);
  CHECK(mount_of(mounts, "/sys/fs/cgroup")->id == 5);
  CHECK(mount_of(mounts, "/etc")->id == 1);
  CHECK(mounted_at(mounts, "/sysx") == nullptr);
}

TEST_CASE("paths/mount_info: no root, no answer") {
  const auto mounts = parse_mountinfo("2 1 0:1 / /sys rw - sysfs s rw\n");
  CHECK(mount_of(mounts, "/sys") == nullptr);
  CHECK(mounted_at({}, "/") == nullptr);
}
