#include "init/mounts.h"

#include <sys/mount.h>

#include <algorithm>
#include <set>

#include "paths/mount_info.h"
#include "paths/mount_table.h"
#include "paths/unix_path.h"

namespace causeway::init {
namespace {

constexpr unsigned long kNoDevices = MS_NOSUID | MS_NODEV;
constexpr unsigned long kNothing = MS_NOSUID | MS_NODEV | MS_NOEXEC;

struct Wanted {
  const char* target;
  const char* fs_type;
  unsigned long flags;
  const char* data;
  bool owned_root_only;
  bool required;
};

// A parent stands before what lies below it. Options as systemd mounts them.
constexpr Wanted kWanted[] = {
    {"/proc", "proc", kNothing, "", false, true},
    {"/sys", "sysfs", kNothing, "", false, true},
    {"/dev", "devtmpfs", MS_NOSUID, "mode=0755", false, true},
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666,gid=5", false, true},
    {"/dev/shm", "tmpfs", kNoDevices, "mode=1777", false, true},
    {"/dev/mqueue", "mqueue", kNothing, "", false, false},
    {"/run", "tmpfs", kNoDevices, "mode=0755", true, true},
    {"/tmp", "tmpfs", kNoDevices, "mode=1777", true, true},
    // Kernels without these options leave these out; no engine needs them to start.
    {"/sys/fs/bpf", "bpf", kNothing, "mode=0700", false, false},
    {"/sys/kernel/security", "securityfs", kNothing, "", true, false},
};

constexpr std::pair<const char*, const char*> kDeviceLinks[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

cgroups::Step mount_step(const Wanted& wanted) {
  cgroups::Step step;
  step.kind = cgroups::Step::Kind::mount;
  step.target = wanted.target;
  step.source = wanted.fs_type;
  step.fs_type = wanted.fs_type;
  step.flags = wanted.flags;
  step.data = wanted.data;
  step.required = wanted.required;
  return step;
}

cgroups::Step link(std::string target, std::string source) {
  cgroups::Step step;
  step.kind = cgroups::Step::Kind::make_symlink;
  step.target = std::move(target);
  step.source = std::move(source);
  step.required = false;
  return step;
}

}  // namespace

cgroups::Step proc_mount() { return mount_step(kWanted[0]); }

std::vector<cgroups::Step> plan_mounts(std::string_view mountinfo, const MountNeeds& needs) {
  const auto mounts = paths::parse_mountinfo(mountinfo);
  std::vector<cgroups::Step> steps;
  std::set<std::string> planned;
  for (const auto& wanted : kWanted) {
    if (wanted.owned_root_only && !needs.owns_root) continue;
    const std::string target = wanted.target;
    const bool hidden = std::any_of(planned.begin(), planned.end(), [&](const std::string& p) {
      return paths::is_below(target, p);
    });
    const bool there = !hidden && paths::mounted_at(mounts, target) != nullptr;
    if (there) continue;
    steps.push_back(mount_step(wanted));
    planned.insert(target);
    if (target == "/dev")
      for (const auto& [path, source] : kDeviceLinks) steps.push_back(link(path, source));
  }
  if (needs.owns_root) steps.push_back(link("/var/run", "/run"));
  return steps;
}

std::vector<Carried> plan_carried(std::string_view mountinfo, const std::string& data,
                                  const std::string& run) {
  const auto mounts = paths::parse_mountinfo(mountinfo);
  std::vector<Carried> out;
  for (const char* path : {"/sys", "/dev"})
    if (paths::mounted_at(mounts, path) != nullptr) out.push_back({path, true});
  const std::string wsl = paths::find_wsl(mounts);
  if (!wsl.empty()) out.push_back({wsl, true});
  for (auto& drive : paths::find_drives(mounts, wsl))
    if (wsl.empty() || !paths::is_below(drive, wsl)) out.push_back({std::move(drive), false});
  out.push_back({"/usr/lib/wsl", false});
  out.push_back({"/lib/modules", false});
  out.push_back({data, true});
  out.push_back({run, true});
  return out;
}

}  // namespace causeway::init
