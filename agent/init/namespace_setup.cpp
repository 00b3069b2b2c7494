#include "init/namespace_setup.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "base/file.h"
#include "cgroups/cgroup.h"
#include "init/console.h"
#include "init/machine.h"
#include "init/mounts.h"
#include "init/pivot.h"
#include "init/run_directory.h"
#include "init/unmount_all.h"
#include "paths/engine_paths.h"

namespace causeway::init {
namespace {

constexpr const char* kMountInfo = "/proc/self/mountinfo";
constexpr std::size_t kMountInfoLimit = 16 << 20;
constexpr const char* kPrivileges = "give CAP_SYS_ADMIN";
constexpr const char* kVersionRoot =
    "the version's root needs these directories, or to be writable";

void skipped(const Error& error) {
  say(log::Level::warning, "init.step_skipped error=\"%s\"", error.message.c_str());
}

Status change_propagation(unsigned long type, const char* name) {
  if (::mount(nullptr, "/", nullptr, MS_REC | type, nullptr) != 0)
    return errno_error(std::string("make all mounts ") + name);
  return Ok{};
}

Status mount_missing(bool owns_root) {
  auto mountinfo = file::read(kMountInfo, kMountInfoLimit);
  if (!mountinfo) return std::move(mountinfo).error();
  return cgroups::carry_out(plan_mounts(*mountinfo, {.owns_root = owns_root}), skipped);
}

// Each plan reads anew what the one before it has changed.
void set_up_groups() {
  auto mountinfo = file::read(kMountInfo, kMountInfoLimit);
  auto groups = file::read("/proc/self/cgroup");
  if (!mountinfo || !groups) return;
  (void)cgroups::carry_out(cgroups::plan_cgroup_mounts(*mountinfo, *groups), skipped);
  mountinfo = file::read(kMountInfo, kMountInfoLimit);
  groups = file::read("/proc/self/cgroup");
  if (!mountinfo || !groups) return;
  (void)cgroups::carry_out(cgroups::plan_leaf(*mountinfo, *groups), skipped);
  std::string controllers;
  if (const auto path = cgroups::controllers_file(*mountinfo, *groups); !path.empty())
    if (auto content = file::read(path)) controllers = std::move(*content);
  (void)cgroups::carry_out(cgroups::plan_groups(*mountinfo, *groups, controllers), skipped);
}

// Our own root gets the base file systems before anything is attached in it: a tmpfs on /run must
// not cover RUN.
std::optional<SetupError> enter_version(BootContext& context) {
  const auto& options = context.options;
  const std::string root = options.versions + "/" + options.version;
  auto mountinfo = file::read(kMountInfo, kMountInfoLimit);
  if (!mountinfo) return SetupError{mountinfo.error(), "mount /proc"};
  auto pivot = Pivot::prepare(plan_carried(*mountinfo, options.data, options.run));
  if (!pivot) return SetupError{pivot.error(), "make the directory"};
  if (auto done = pivot->enter(root); !done)
    return SetupError{done.error(), "install this version, or start another one"};
  auto system = [](const std::string& path) { return path == "/sys" || path == "/dev"; };
  auto rest = [&](const std::string& path) { return !system(path); };
  if (auto done = cgroups::carry_out({proc_mount()}, skipped); !done)
    return SetupError{done.error(), kVersionRoot};
  if (auto done = pivot->attach(system, skipped); !done)
    return SetupError{done.error(), kVersionRoot};
  if (auto done = mount_missing(true); !done) return SetupError{done.error(), kVersionRoot};
  if (auto done = pivot->attach(rest, skipped); !done)
    return SetupError{done.error(), kVersionRoot};
  pivot->attach_network_files(skipped);
  if (options.agent.empty()) {
    InitOptions installed;
    installed.agent = "/usr/bin/causeway";
    if (auto binary = open_agent(installed)) context.binary = std::move(*binary);
  }
  return std::nullopt;
}

// The real PID 1 finds what the kernel mounted, which may be nothing.
std::optional<SetupError> set_up_machine(BootContext& context) {
  if (::access("/proc/self", F_OK) != 0)
    if (auto done = cgroups::carry_out({proc_mount()}, skipped); !done)
      return SetupError{done.error(), "make the directory /proc"};
  if (auto done = mount_missing(true); !done)
    return SetupError{done.error(), "boot with a writable root"};
  use_dev_console();
  auto binary = open_agent(context.options);
  if (!binary) return SetupError{binary.error(), "install the agent"};
  context.binary = std::move(*binary);
  if (auto done = file::make_directories(context.options.data); !done)
    return SetupError{done.error(), "mount a writable file system there"};
  if (auto done = mount_run(context.options.run); !done)
    return SetupError{done.error(), kPrivileges};
  auto lock = take_lock(context.options.run);
  if (!lock) return SetupError{lock.error(), "make its directory writable"};
  context.lock = std::move(lock->fd);
  context.pid_outside = ::getpid();
  return std::nullopt;
}

// Only where /run is ours: on a plain machine it belongs to processes outside, and may hold another
// engine's socket.
void link_docker_socket(const BootContext& context) {
  if (context.mode == Mode::plain && !context.pivots()) return;
  const std::string target = context.options.run + "/engine.sock";
  std::array<char, PATH_MAX> old{};
  if (::readlink(kDockerSocket, old.data(), old.size() - 1) > 0 && target == old.data()) return;
  if (::symlink(target.c_str(), kDockerSocket) != 0)
    skipped(errno_error(std::string("link ") + kDockerSocket + " to " + target));
}

void link_name(std::string_view name, const std::string& target) {
  const std::string path(name);
  if (path == target) return;
  std::array<char, PATH_MAX> old{};
  if (::readlink(path.c_str(), old.data(), old.size() - 1) > 0 && target == old.data()) return;
  (void)file::make_directories(path.substr(0, path.rfind('/')));
  (void)::rmdir(path.c_str());  // of an empty directory, as dockerd's package may bring it
  // What else is there, and isn't empty, stays.
  if (::symlink(target.c_str(), path.c_str()) != 0 && errno != EEXIST)
    skipped(errno_error("link " + path + " to " + target));
}

// The names by which every client may say the engine's files, for docker-desktop's own users, too.
// Only where the root is ours: on a plain machine /var/lib/docker is another engine's.
void link_engine_names(const BootContext& context) {
  if (context.mode == Mode::plain && !context.pivots()) return;
  link_name(paths::kEngineFiles, "/");
  link_name(paths::kDockerData, context.options.data + paths::kDockerRoot);
}

}  // namespace

std::optional<SetupError> set_up_namespace(BootContext& context) {
  ::umask(022);
  if (context.mode == Mode::pid1) {
    if (auto failed = set_up_machine(context)) return failed;
  } else if (::unshare(CLONE_NEWNS) != 0) {
    return SetupError{errno_error("unshare the mount namespace"), kPrivileges};
  }
  // Slaves first: what we mount must not appear in the distro, what it mounts must appear here.
  if (auto done = change_propagation(MS_SLAVE, "slaves"); !done)
    return SetupError{done.error(), kPrivileges};
  if (context.pivots()) {
    if (auto failed = enter_version(context)) return failed;
  } else if (context.mode != Mode::pid1) {
    if (auto done = cgroups::carry_out({proc_mount()}, skipped); !done)
      return SetupError{done.error(), kPrivileges};
    if (auto done = mount_missing(false); !done) return SetupError{done.error(), kPrivileges};
  }
  if (::chdir("/") != 0) return SetupError{errno_error("chdir /"), kPrivileges};
  set_up_groups();
  // Shared last: `docker run -v …:rslave` and Kubernetes' HostToContainer fail on private mounts
  // (measured), and pivot_root fails on shared ones.
  if (auto done = change_propagation(MS_SHARED, "shared"); !done)
    return SetupError{done.error(), kPrivileges};
  link_docker_socket(context);
  link_engine_names(context);
  if (context.mode == Mode::pid1) wake_machine(skipped);
  return std::nullopt;
}

void tear_down_namespace(const BootContext& context) {
  const auto mountinfo = file::read(kMountInfo, kMountInfoLimit);
  const auto groups = file::read("/proc/self/cgroup");
  if (mountinfo && groups)
    (void)cgroups::carry_out(cgroups::plan_release(*mountinfo, *groups), [](const Error&) {});
  std::array<char, PATH_MAX> link{};
  if (::readlink(kDockerSocket, link.data(), link.size() - 1) > 0 &&
      context.options.run + "/engine.sock" == link.data())
    ::unlink(kDockerSocket);
  unmount_all();
}

}  // namespace causeway::init
