#include "init/mounts.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "support/machine_samples.h"

using namespace causeway;
using namespace causeway::init;

namespace {

std::vector<std::string> mounted(const std::vector<cgroups::Step>& steps) {
  std::vector<std::string> out;
  for (const auto& step : steps)
    if (step.kind == cgroups::Step::Kind::mount) out.push_back(step.target);
  return out;
}

std::vector<std::string> paths_of(const std::vector<Carried>& carried) {
  std::vector<std::string> out;
  for (const auto& item : carried) out.push_back(item.path);
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("init/mounts: a WSL distro lacks mqueue and bpf") {
  CHECK(mounted(plan_mounts(samples::kWsl, {})) == Strings{"/dev/mqueue", "/sys/fs/bpf"});
}

TEST_CASE("init/mounts: Debian lacks nothing, and its /tmp is left alone") {
  CHECK(plan_mounts(samples::kDebian, {}).empty());
}

TEST_CASE("init/mounts: in an initramfs everything is made, parents first") {
  const auto steps = plan_mounts(samples::kInitramfs, {.owns_root = true});
  CHECK(mounted(steps) == Strings{"/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue",
                                  "/run", "/tmp", "/sys/fs/bpf", "/sys/kernel/security"});
  auto links = [&](const char* target, const char* source) {
    return std::any_of(steps.begin(), steps.end(), [&](const cgroups::Step& s) {
      return s.kind == cgroups::Step::Kind::make_symlink && s.target == target &&
             s.source == source;
    });
  };
  CHECK(links("/dev/fd", "/proc/self/fd"));
  CHECK(links("/var/run", "/run"));
  for (const auto& step : steps) {
    CAPTURE(step.target);
    const bool optional = step.kind == cgroups::Step::Kind::make_symlink ||
                          step.target == "/dev/mqueue" || step.target.starts_with("/sys/");
    CHECK(step.required == !optional);
  }
}

TEST_CASE("init/mounts: what lies below a mount that is made again is made again") {
  const std::string_view sys_only_below =
      "1 0 8:1 / / rw - ext4 a rw\n"
      "2 1 0:1 / /proc rw - proc p rw\n"
      "3 1 0:2 / /sys/fs/bpf rw - bpf b rw\n"
      "4 1 0:3 / /dev/pts rw - devpts d rw\n";
  const auto targets = mounted(plan_mounts(sys_only_below, {}));
  CHECK(targets == Strings{"/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/bpf"});
}

TEST_CASE("init/mounts: what goes along into a version's root, in order") {
  CHECK(paths_of(plan_carried(samples::kWsl, "/data", "/run/causeway")) ==
        Strings{"/sys", "/dev", "/mnt/wsl", "/mnt/c", "/mnt/my disk", "/usr/lib/wsl",
                "/lib/modules", "/data", "/run/causeway"});
  // Nothing is mounted yet: sys and dev are then made in the new root.
  const auto carried = plan_carried(samples::kInitramfs, "/data", "/run/causeway");
  CHECK(paths_of(carried) == Strings{"/usr/lib/wsl", "/lib/modules", "/data", "/run/causeway"});
  CHECK_FALSE(carried[0].required);
  CHECK(carried[2].required);
  CHECK(carried[3].required);
}
