#include "cgroups/cgroup.h"

#include <sys/mount.h>

#include <algorithm>

#include "base/text.h"
#include "paths/mount_info.h"

namespace causeway::cgroups {
namespace {

constexpr std::string_view kRoot = "/sys/fs/cgroup";
constexpr std::string_view kLeaf = "/causeway.init";
constexpr std::string_view kServices = "/causeway";
constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// A line of /proc/self/cgroup, "4:memory:/path"; v2 is "0::/path".
struct Membership {
  std::string controllers;
  std::string path;  // of <own>: without the leaf

  bool v2() const { return controllers.empty(); }
  bool named() const { return controllers.starts_with("name="); }
  bool has(std::string_view controller) const {
    const auto all = text::split(controllers, ',');
    return std::find(all.begin(), all.end(), controller) != all.end();
  }
};

// A hierarchy that is mounted and reaches <own>.
struct Hierarchy {
  Membership membership;
  std::string own;           // directory
  bool own_is_root = false;  // of the hierarchy

  std::string below_own(std::string_view name) const {
    std::string out = own;
    out += name;
    return out;
  }
};

std::vector<Membership> parse_memberships(std::string_view self_cgroup) {
  std::vector<Membership> out;
  for (const auto line : text::split(self_cgroup, '\n')) {
    const auto first = line.find(':');
    if (first == std::string_view::npos) continue;
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    Membership membership;
    membership.controllers = line.substr(first + 1, second - first - 1);
    std::string_view path = line.substr(second + 1);
    if (path.ends_with(kLeaf)) path.remove_suffix(kLeaf.size());
    while (path.ends_with('/')) path.remove_suffix(1);
    membership.path = path;
    out.push_back(std::move(membership));
  }
  return out;
}

// v1 controllers in use anywhere: then v2, if mounted, only tracks processes (hybrid).
bool uses_v1(const std::vector<Membership>& memberships) {
  return std::any_of(memberships.begin(), memberships.end(),
                     [](const Membership& m) { return !m.v2() && !m.named(); });
}

bool mounts_it(const paths::MountEntry& entry, const Membership& membership) {
  if (membership.v2()) return entry.fs_type == "cgroup2";
  if (entry.fs_type != "cgroup") return false;
  const auto wanted = text::split(membership.controllers, ',');
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](std::string_view w) { return entry.has_super_option(w); });
}

const paths::MountEntry* find_mount(const std::vector<paths::MountEntry>& mounts,
                                    const Membership& membership) {
  for (const auto& entry : mounts)
    if (mounts_it(entry, membership) && paths::mounted_at(mounts, entry.mount_point) == &entry)
      return &entry;
  return nullptr;
}

std::vector<Hierarchy> find_hierarchies(std::string_view mountinfo, std::string_view self_cgroup) {
  const auto mounts = paths::parse_mountinfo(mountinfo);
  std::vector<Hierarchy> out;
  for (auto& membership : parse_memberships(self_cgroup)) {
    const paths::MountEntry* mount = find_mount(mounts, membership);
    if (mount == nullptr) continue;
    // A bind of a part of the tree shows in `root`; <own> must lie in that part.
    const std::string root = mount->root == "/" ? "" : mount->root;
    const std::string& path = membership.path;
    if (!path.starts_with(root) || (path.size() > root.size() && path[root.size()] != '/') ||
        path.find("/..") != std::string::npos)
      continue;
    Hierarchy hierarchy;
    hierarchy.own = mount->mount_point + path.substr(root.size());
    hierarchy.own_is_root = path.empty();
    hierarchy.membership = std::move(membership);
    out.push_back(std::move(hierarchy));
  }
  return out;
}

Step step(Step::Kind kind, std::string target, std::string data = "", std::string source = "") {
  Step out;
  out.kind = kind;
  out.target = std::move(target);
  out.data = std::move(data);
  out.source = std::move(source);
  out.required = false;
  return out;
}

Step cgroup_mount(std::string target, std::string fs_type, std::string data) {
  Step out = step(Step::Kind::mount, std::move(target), std::move(data), fs_type);
  out.fs_type = std::move(fs_type);
  out.flags = kFlags;
  return out;
}

// <own>/causeway. A fresh v1 cpuset has no CPUs and no memory and takes no process until it is
// given some; with clone_children its own children get a copy (cpusets.rst).
void make_parent(const Hierarchy& hierarchy, std::vector<Step>& steps) {
  const std::string parent = hierarchy.below_own(kServices);
  steps.push_back(step(Step::Kind::make_directory, parent));
  if (!hierarchy.membership.has("cpuset")) return;
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"})
    steps.push_back(step(Step::Kind::copy_file, parent + file, "", hierarchy.own + file));
  steps.push_back(step(Step::Kind::write_file, parent + "/cgroup.clone_children", "1"));
}

bool usable_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20; });
}

// The v2 hierarchy when it rules alone.
std::vector<Hierarchy> unified(std::string_view mountinfo, std::string_view self_cgroup) {
  if (uses_v1(parse_memberships(self_cgroup))) return {};
  auto all = find_hierarchies(mountinfo, self_cgroup);
  std::erase_if(all, [](const Hierarchy& h) { return !h.membership.v2(); });
  return all;
}

}  // namespace

std::vector<Step> plan_cgroup_mounts(std::string_view mountinfo, std::string_view self_cgroup) {
  const auto mounts = paths::parse_mountinfo(mountinfo);
  auto memberships = parse_memberships(self_cgroup);
  // Until somebody mounts the first hierarchy the kernel shows none at all, v2 neither.
  if (text::trim(self_cgroup).empty()) memberships.push_back({"", ""});
  const bool v1 = uses_v1(memberships);
  const paths::MountEntry* at_root = paths::mounted_at(mounts, kRoot);
  std::vector<Step> steps;
  for (const auto& membership : memberships) {
    if (find_mount(mounts, membership) != nullptr) continue;
    if (!v1) {
      // A lone name= hierarchy beside v2 is somebody's bookkeeping and not needed.
      if (membership.v2())
        steps.push_back(cgroup_mount(std::string(kRoot), "cgroup2", "memory_recursiveprot"));
      continue;
    }
    if (at_root == nullptr && steps.empty())
      steps.push_back(cgroup_mount(std::string(kRoot), "tmpfs", "mode=0755"));
    const std::string directory = std::string(kRoot) + "/";
    if (membership.v2()) {
      steps.push_back(cgroup_mount(directory + "unified", "cgroup2", ""));
    } else if (membership.named()) {
      steps.push_back(cgroup_mount(directory + membership.controllers.substr(5), "cgroup",
                                   "none," + membership.controllers));
    } else {
      steps.push_back(
          cgroup_mount(directory + membership.controllers, "cgroup", membership.controllers));
    }
  }
  return steps;
}

std::string controllers_file(std::string_view mountinfo, std::string_view self_cgroup) {
  const auto hierarchies = unified(mountinfo, self_cgroup);
  return hierarchies.empty() ? "" : hierarchies.front().own + "/cgroup.controllers";
}

std::vector<Step> plan_leaf(std::string_view mountinfo, std::string_view self_cgroup) {
  std::vector<Step> steps;
  for (const auto& hierarchy : unified(mountinfo, self_cgroup)) {
    const std::string leaf = hierarchy.below_own(kLeaf);
    steps.push_back(step(Step::Kind::make_directory, leaf));
    steps.push_back(step(Step::Kind::write_file, leaf + "/cgroup.procs", "0"));
  }
  return steps;
}

std::vector<Step> plan_groups(std::string_view mountinfo, std::string_view self_cgroup,
                              std::string_view controllers) {
  const bool v2_rules = !unified(mountinfo, self_cgroup).empty();
  std::vector<Step> steps;
  for (const auto& hierarchy : find_hierarchies(mountinfo, self_cgroup)) {
    const std::string parent = hierarchy.below_own(kServices);
    steps.push_back(step(Step::Kind::remove_groups, parent));
    make_parent(hierarchy, steps);
    if (!v2_rules || !hierarchy.membership.v2()) continue;
    // One by one: a controller that can't be enabled doesn't take the others with it.
    for (const std::string& group : {hierarchy.own, parent})
      for (const auto controller : text::fields(text::trim(controllers)))
        steps.push_back(step(Step::Kind::write_file, group + "/cgroup.subtree_control",
                             std::string("+").append(controller)));
  }
  return steps;
}

std::vector<Step> plan_release(std::string_view mountinfo, std::string_view self_cgroup) {
  std::vector<Step> steps;
  for (const auto& hierarchy : find_hierarchies(mountinfo, self_cgroup))
    steps.push_back(step(Step::Kind::remove_groups, hierarchy.below_own(kServices)));
  for (const auto& hierarchy : unified(mountinfo, self_cgroup)) {
    // <own> held processes before us, so it had no domain controllers enabled: all that are, are
    // ours. The root is the exception, there they belong to everybody and don't hinder.
    if (!hierarchy.own_is_root)
      for (const char* controller :
           {"-cpuset", "-cpu", "-io", "-memory", "-hugetlb", "-pids", "-rdma", "-misc"})
        steps.push_back(
            step(Step::Kind::write_file, hierarchy.own + "/cgroup.subtree_control", controller));
    steps.push_back(step(Step::Kind::write_file, hierarchy.own + "/cgroup.procs", "0"));
    steps.push_back(step(Step::Kind::remove_groups, hierarchy.below_own(kLeaf)));
  }
  return steps;
}

ServiceGroups service_groups(std::string_view mountinfo, std::string_view self_cgroup,
                             std::string_view service) {
  ServiceGroups out;
  if (!usable_name(service)) return out;
  const bool v1 = uses_v1(parse_memberships(self_cgroup));
  for (const auto& hierarchy : find_hierarchies(mountinfo, self_cgroup)) {
    const auto& membership = hierarchy.membership;
    std::string directory = hierarchy.below_own(kServices) + "/";
    directory += service;
    make_parent(hierarchy, out.to_make);
    out.to_make.push_back(step(Step::Kind::make_directory, directory));
    out.to_remove.push_back(step(Step::Kind::remove_groups, directory));
    if (membership.has("memory")) out.memory_file = directory + "/memory.usage_in_bytes";
    if (membership.v2() && !v1) out.memory_file = directory + "/memory.current";
    if (membership.v2()) out.kill_file = directory + "/cgroup.kill";
    out.directories.push_back(directory);
  }
  return out;
}

}  // namespace causeway::cgroups
