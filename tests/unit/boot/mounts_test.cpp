#include "boot/mounts.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "samples.h"

using namespace causeway;
using namespace causeway::boot;

namespace {

std::vector<std::string> mounted(const std::vector<Step>& steps) {
  std::vector<std::string> out;
  for (const auto& step : steps)
    if (step.kind == Step::Kind::mount) out.push_back(step.target);
  return out;
}

std::vector<std::string> paths(const std::vector<Carried>& carried) {
  std::vector<std::string> out;
  for (const auto& item : carried) out.push_back(item.path);
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("boot/mount_info: fields, escapes and propagation") {
  const auto mounts = parse_mountinfo(
      "86 85 0:31 /a\\040b /mnt/with\\134slash rw shared:1 master:2 - 9p C:\\134 rw,aname=drvfs\n"
      "87 85 0:32 / /no/super rw - tmpfs none\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].id == 86);
  CHECK(mounts[0].parent == 85);
  CHECK(mounts[0].root == "/a b");
  CHECK(mounts[0].mount_point == "/mnt/with\\slash");
  CHECK(mounts[0].propagation == "shared:1 master:2");
  CHECK(mounts[0].source == "C:\\");
  CHECK(mounts[0].has_super_option("aname=drvfs"));
  CHECK_FALSE(mounts[0].has_super_option("aname"));
  CHECK(mounts[1].super_options.empty());
}

TEST_CASE("boot/mount_info: malformed lines are left out") {
  CHECK(parse_mountinfo("").empty());
  CHECK(parse_mountinfo("nonsense\n\n1 2 3\n").empty());
  CHECK(parse_mountinfo("x 85 0:31 / /mnt rw - tmpfs none rw\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt rw tmpfs none rw\n").empty());
  CHECK(parse_mountinfo("86 85 0:31 / /mnt rw - tmpfs\n").empty());
}

TEST_CASE("boot/mount_info: an over-mounted mount is not visible") {
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

TEST_CASE("boot/mount_info: no root, no answer") {
  const auto mounts = parse_mountinfo("2 1 0:1 / /sys rw - sysfs s rw\n");
  CHECK(mount_of(mounts, "/sys") == nullptr);
  CHECK(mounted_at({}, "/") == nullptr);
}

TEST_CASE("boot/mounts: a WSL distro lacks mqueue and bpf") {
  CHECK(mounted(plan_mounts(samples::kWsl, {})) == Strings{"/dev/mqueue", "/sys/fs/bpf"});
}

TEST_CASE("boot/mounts: Debian lacks nothing, and its /tmp is left alone") {
  CHECK(plan_mounts(samples::kDebian, {}).empty());
}

TEST_CASE("boot/mounts: in an initramfs everything is made, parents first") {
  const auto steps = plan_mounts(samples::kInitramfs, {.owns_root = true});
  CHECK(mounted(steps) == Strings{"/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue",
                                  "/run", "/tmp", "/sys/fs/bpf", "/sys/kernel/security"});
  auto links = [&](const char* target, const char* source) {
    return std::any_of(steps.begin(), steps.end(), [&](const Step& s) {
      return s.kind == Step::Kind::make_symlink && s.target == target && s.source == source;
    });
  };
  CHECK(links("/dev/fd", "/proc/self/fd"));
  CHECK(links("/var/run", "/run"));
  for (const auto& step : steps) {
    CAPTURE(step.target);
    const bool optional = step.kind == Step::Kind::make_symlink || step.target == "/dev/mqueue" ||
                          step.target.starts_with("/sys/");
    CHECK(step.required == !optional);
  }
}

TEST_CASE("boot/mounts: what lies below a mount that is made again is made again") {
  const std::string_view sys_only_below =
      "1 0 8:1 / / rw - ext4 a rw\n"
      "2 1 0:1 / /proc rw - proc p rw\n"
      "3 1 0:2 / /sys/fs/bpf rw - bpf b rw\n"
      "4 1 0:3 / /dev/pts rw - devpts d rw\n";
  const auto targets = mounted(plan_mounts(sys_only_below, {}));
  CHECK(targets == Strings{"/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/bpf"});
}

TEST_CASE("boot/mounts: <wsl> is found where automount.root puts it") {
  CHECK(find_wsl(parse_mountinfo(samples::kWsl)) == "/mnt/wsl");
  CHECK(find_wsl(parse_mountinfo(samples::kDebian)).empty());
  const std::string root = "1 0 8:1 / / rw - ext4 a rw\n";
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - tmpfs none rw\n")) == "/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /home/me/wsl rw - tmpfs none rw\n"
                                        "3 1 0:1 / /w/wsl rw - tmpfs none rw\n")) == "/w/wsl");
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /wsl rw - ext4 a rw\n")).empty());
  CHECK(find_wsl(parse_mountinfo(root + "2 1 0:1 / /mnt/wsl/x rw - tmpfs a rw\n")).empty());
}

TEST_CASE("boot/mounts: Windows drives, by type and by place") {
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

TEST_CASE("boot/mounts: what goes along into a version's root, in order") {
  CHECK(paths(plan_carried(samples::kWsl, "/data", "/run/causeway")) ==
        Strings{"/sys", "/dev", "/mnt/wsl", "/mnt/c", "/mnt/my disk", "/usr/lib/wsl",
                "/lib/modules", "/data", "/run/causeway"});
  // Nothing is mounted yet: sys and dev are then made in the new root.
  const auto carried = plan_carried(samples::kInitramfs, "/data", "/run/causeway");
  CHECK(paths(carried) == Strings{"/usr/lib/wsl", "/lib/modules", "/data", "/run/causeway"});
  CHECK_FALSE(carried[0].required);
  CHECK(carried[2].required);
  CHECK(carried[3].required);
}
