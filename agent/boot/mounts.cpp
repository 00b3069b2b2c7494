#include "boot/mounts.h"

#include <sys/mount.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace causeway::boot {
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

bool below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.substr(0, directory.size()) == directory &&
         (directory == "/" || path[directory.size()] == '/');
}

Step mount_step(const Wanted& wanted) {
  Step step;
  step.kind = Step::Kind::mount;
  step.target = wanted.target;
  step.source = wanted.fs_type;
  step.fs_type = wanted.fs_type;
  step.flags = wanted.flags;
  step.data = wanted.data;
  step.required = wanted.required;
  return step;
}

Step link(std::string target, std::string source) {
  Step step;
  step.kind = Step::Kind::make_symlink;
  step.target = std::move(target);
  step.source = std::move(source);
  step.required = false;
  return step;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

Step proc_mount() { return mount_step(kWanted[0]); }

std::vector<Step> plan_mounts(std::string_view mountinfo, const MountNeeds& needs) {
  const auto mounts = parse_mountinfo(mountinfo);
  std::vector<Step> steps;
  std::set<std::string> planned;
  for (const auto& wanted : kWanted) {
    if (wanted.owned_root_only && !needs.owns_root) continue;
    const std::string target = wanted.target;
    const bool hidden = std::any_of(planned.begin(), planned.end(),
                                    [&](const std::string& p) { return below(target, p); });
    const bool there = !hidden && mounted_at(mounts, target) != nullptr;
    if (there) continue;
    steps.push_back(mount_step(wanted));
    planned.insert(target);
    if (target == "/dev")
      for (const auto& [path, source] : kDeviceLinks) steps.push_back(link(path, source));
  }
  if (needs.owns_root) steps.push_back(link("/var/run", "/run"));
  return steps;
}

std::string find_wsl(const std::vector<MountEntry>& mounts) {
  std::string found;
  for (const auto& entry : mounts) {
    const auto& point = entry.mount_point;
    if (entry.fs_type != "tmpfs" || !point.ends_with("/wsl")) continue;
    if (point == "/mnt/wsl") return point;
    // A user's tmpfs deep in the tree may be called the same; the shortest path is WSL's.
    if (found.empty() || point.size() < found.size()) found = point;
  }
  return found;
}

std::vector<std::string> find_drives(const std::vector<MountEntry>& mounts,
                                     const std::string& wsl) {
  std::vector<std::string> out;
  for (const auto& entry : mounts) {
    const auto& point = entry.mount_point;
    const bool drvfs =
        (entry.fs_type == "9p" && entry.super_options.find("aname=drvfs") != std::string::npos) ||
        (entry.fs_type == "virtiofs" && entry.source.starts_with("drvfs")) ||
        entry.fs_type == "drvfs";
    const char letter = point.back();
    const bool beside_wsl = !wsl.empty() && point.size() >= 2 && point[point.size() - 2] == '/' &&
                            letter >= 'a' && letter <= 'z' && parent_of(point) == parent_of(wsl);
    // WSL's own libraries are a drvfs mount as well; they are carried by name.
    if ((!drvfs && !beside_wsl) || point == "/" || below(point, "/usr/lib/wsl")) continue;
    if (mounted_at(mounts, point) != nullptr) out.push_back(point);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  std::vector<std::string> outermost;
  for (auto& point : out)
    if (std::none_of(outermost.begin(), outermost.end(),
                     [&](const std::string& other) { return below(point, other); }))
      outermost.push_back(std::move(point));
  return outermost;
}

std::vector<Carried> plan_carried(std::string_view mountinfo, const std::string& data,
                                  const std::string& run) {
  const auto mounts = parse_mountinfo(mountinfo);
  std::vector<Carried> out;
  for (const char* path : {"/sys", "/dev"})
    if (mounted_at(mounts, path) != nullptr) out.push_back({path, true});
  const std::string wsl = find_wsl(mounts);
  if (!wsl.empty()) out.push_back({wsl, true});
  for (auto& drive : find_drives(mounts, wsl))
    if (wsl.empty() || !below(drive, wsl)) out.push_back({std::move(drive), false});
  out.push_back({"/usr/lib/wsl", false});
  out.push_back({"/lib/modules", false});
  out.push_back({data, true});
  out.push_back({run, true});
  return out;
}

}  // namespace causeway::boot
