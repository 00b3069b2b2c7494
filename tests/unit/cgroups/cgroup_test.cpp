#include "cgroups/cgroup.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "support/machine_samples.h"

using namespace causeway;
using namespace causeway::cgroups;

namespace {

using Strings = std::vector<std::string>;

Strings lines(const std::vector<Step>& steps) {
  Strings out;
  for (const auto& step : steps) out.push_back(describe(step));
  return out;
}

bool has(const Strings& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

TEST_CASE("cgroups/cgroup: mounted hierarchies are not mounted again") {
  CHECK(plan_cgroup_mounts(samples::kWsl, samples::kWslGroup).empty());
  CHECK(plan_cgroup_mounts(samples::kDebian, samples::kDebianGroup).empty());
  CHECK(plan_cgroup_mounts(samples::kV1, samples::kV1Group).empty());
}

TEST_CASE("cgroups/cgroup: v2 is mounted where nothing uses v1") {
  const auto steps = plan_cgroup_mounts(samples::kInitramfs, samples::kInitramfsGroup);
  CHECK(lines(steps) == Strings{"mount cgroup2 on /sys/fs/cgroup"});
  // Where nobody has mounted any, the kernel names none.
  CHECK(lines(plan_cgroup_mounts(samples::kInitramfs, "")) == lines(steps));
  CHECK(lines(plan_cgroup_mounts(samples::kInitramfs, "\n")) == lines(steps));
  // A name= hierarchy has no controllers; it doesn't make the machine v1.
  CHECK(lines(plan_cgroup_mounts(samples::kInitramfs, "1:name=systemd:/\n0::/\n")) ==
        Strings{"mount cgroup2 on /sys/fs/cgroup"});
}

TEST_CASE("cgroups/cgroup: v1 hierarchies in use elsewhere are mounted by their controllers") {
  const auto steps = plan_cgroup_mounts(samples::kInitramfs,
                                        "4:name=systemd:/\n3:cpu,cpuacct:/\n2:memory:/a\n0::/\n");
  CHECK(lines(steps) == Strings{"mount tmpfs on /sys/fs/cgroup",
                                "mount cgroup on /sys/fs/cgroup/systemd",
                                "mount cgroup on /sys/fs/cgroup/cpu,cpuacct",
                                "mount cgroup on /sys/fs/cgroup/memory",
                                "mount cgroup2 on /sys/fs/cgroup/unified"});
  CHECK(steps[1].data == "none,name=systemd");
  CHECK(steps[2].data == "cpu,cpuacct");
  // With the tmpfs there, only the missing one.
  const auto missing = plan_cgroup_mounts(samples::kV1, "5:pids:/\n3:memory:/\n0::/\n");
  CHECK(lines(missing) == Strings{"mount cgroup on /sys/fs/cgroup/pids"});
}

TEST_CASE("cgroups/cgroup: on v2 init moves into a leaf and hands on the controllers") {
  CHECK(controllers_file(samples::kDebian, samples::kDebianGroup) ==
        "/sys/fs/cgroup/user.slice/user-0.slice/session-3.scope/cgroup.controllers");
  const std::string own = "/sys/fs/cgroup/user.slice/user-0.slice/session-3.scope";
  CHECK(lines(plan_leaf(samples::kDebian, samples::kDebianGroup)) ==
        Strings{"make directory " + own + "/causeway.init",
                "write '0' to " + own + "/causeway.init/cgroup.procs"});
  CHECK(lines(plan_groups(samples::kDebian, samples::kDebianGroup, "cpu memory\n")) ==
        Strings{"remove the control groups below " + own + "/causeway",
                "make directory " + own + "/causeway",
                "write '+cpu' to " + own + "/cgroup.subtree_control",
                "write '+memory' to " + own + "/cgroup.subtree_control",
                "write '+cpu' to " + own + "/causeway/cgroup.subtree_control",
                "write '+memory' to " + own + "/causeway/cgroup.subtree_control"});
}

TEST_CASE("cgroups/cgroup: the leaf is not taken for the own group") {
  const std::string inside = "0::/user.slice/user-0.slice/session-3.scope/causeway.init\n";
  CHECK(lines(plan_leaf(samples::kDebian, inside)) ==
        lines(plan_leaf(samples::kDebian, samples::kDebianGroup)));
  CHECK(service_groups(samples::kDebian, inside, "dockerd").directories ==
        service_groups(samples::kDebian, samples::kDebianGroup, "dockerd").directories);
  CHECK(service_groups(samples::kWsl, "0::/causeway.init\n", "dockerd").directories ==
        Strings{"/sys/fs/cgroup/causeway/dockerd"});
}

TEST_CASE("cgroups/cgroup: on v1 nothing moves, and the cpuset gets CPUs and memory") {
  CHECK(plan_leaf(samples::kV1, samples::kV1Group).empty());
  CHECK(controllers_file(samples::kV1, samples::kV1Group).empty());
  const auto steps = lines(plan_groups(samples::kV1, samples::kV1Group, ""));
  CHECK(has(steps, "make directory /sys/fs/cgroup/memory/process_api/a935/causeway"));
  CHECK(has(steps,
            "copy /sys/fs/cgroup/cpuset/cpuset.cpus to "
            "/sys/fs/cgroup/cpuset/causeway/cpuset.cpus"));
  CHECK(has(steps,
            "copy /sys/fs/cgroup/cpuset/cpuset.mems to "
            "/sys/fs/cgroup/cpuset/causeway/cpuset.mems"));
  CHECK(has(steps, "write '1' to /sys/fs/cgroup/cpuset/causeway/cgroup.clone_children"));
  for (const auto& step : steps) CHECK(step.find("subtree_control") == std::string::npos);
}

TEST_CASE("cgroups/cgroup: a release disables controllers only below the root") {
  const auto below = lines(plan_release(samples::kDebian, samples::kDebianGroup));
  const std::string own = "/sys/fs/cgroup/user.slice/user-0.slice/session-3.scope";
  CHECK(has(below, "write '-memory' to " + own + "/cgroup.subtree_control"));
  CHECK(has(below, "write '0' to " + own + "/cgroup.procs"));
  CHECK(below.back() == "remove the control groups below " + own + "/causeway.init");
  const auto root = lines(plan_release(samples::kWsl, samples::kWslGroup));
  CHECK(root == Strings{"remove the control groups below /sys/fs/cgroup/causeway",
                        "write '0' to /sys/fs/cgroup/cgroup.procs",
                        "remove the control groups below /sys/fs/cgroup/causeway.init"});
}

TEST_CASE("cgroups/cgroup: every step may fail") {
  for (const auto& plan : {plan_cgroup_mounts(samples::kInitramfs, "1:cpu:/\n0::/\n"),
                           plan_leaf(samples::kWsl, samples::kWslGroup),
                           plan_groups(samples::kV1, samples::kV1Group, ""),
                           plan_release(samples::kDebian, samples::kDebianGroup),
                           service_groups(samples::kV1, samples::kV1Group, "a").to_make}) {
    REQUIRE_FALSE(plan.empty());
    for (const auto& step : plan) CHECK_FALSE(step.required);
  }
}

TEST_CASE("cgroups/cgroup: a service's groups on v1") {
  const auto groups = service_groups(samples::kV1, samples::kV1Group, "dockerd");
  CHECK(groups.directories == Strings{"/sys/fs/cgroup/systemd/causeway/dockerd",
                                      "/sys/fs/cgroup/memory/process_api/a935/causeway/dockerd",
                                      "/sys/fs/cgroup/cpuset/causeway/dockerd",
                                      "/sys/fs/cgroup/cpu/causeway/dockerd",
                                      "/sys/fs/cgroup/unified/causeway/dockerd"});
  CHECK(groups.memory_file ==
        "/sys/fs/cgroup/memory/process_api/a935/causeway/dockerd/memory.usage_in_bytes");
  // The cpuset's parent is filled before the service's group copies it.
  const auto steps = lines(groups.to_make);
  const auto clone = std::find(steps.begin(), steps.end(),
                               "write '1' to /sys/fs/cgroup/cpuset/causeway/cgroup.clone_children");
  const auto made = std::find(steps.begin(), steps.end(),
                              "make directory /sys/fs/cgroup/cpuset/causeway/dockerd");
  REQUIRE(made != steps.end());
  CHECK(clone < made);
}

TEST_CASE("cgroups/cgroup: a service's groups on v2") {
  const auto groups = service_groups(samples::kWsl, samples::kWslGroup, "dockerd");
  CHECK(groups.directories == Strings{"/sys/fs/cgroup/causeway/dockerd"});
  CHECK(groups.memory_file == "/sys/fs/cgroup/causeway/dockerd/memory.current");
}

TEST_CASE("cgroups/cgroup: a bind of a part of the tree is honoured, one that misses us left out") {
  const auto groups = service_groups(samples::kContainerV1, samples::kContainerV1Group, "dockerd");
  CHECK(groups.directories == Strings{"/sys/fs/cgroup/cpu,cpuacct/inner/causeway/dockerd"});
  CHECK(groups.memory_file.empty());
  // Outside of the cgroup namespace: not reachable.
  CHECK(service_groups(samples::kWsl, "0::/../other\n", "dockerd").directories.empty());
}

TEST_CASE("cgroups/cgroup: names that are no directory, and texts that are none") {
  for (const char* bad : {"", ".", "..", "a/b", "a\nb"}) {
    CAPTURE(bad);
    const auto groups = service_groups(samples::kV1, samples::kV1Group, bad);
    CHECK(groups.directories.empty());
    CHECK(groups.to_make.empty());
  }
  CHECK(service_groups("", "", "a").directories.empty());
  CHECK(plan_groups("rubbish", "more:rubbish", "cpu").empty());
  CHECK(plan_cgroup_mounts("rubbish", "more:rubbish").empty());
}
