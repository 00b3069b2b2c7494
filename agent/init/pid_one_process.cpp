// PID 1 from its first line to its last: namespace, descriptors, the loop of pid_one.h, the end.
// See init.h.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <exception>

#include "base/exit_code.h"
#include "base/file.h"
#include "base/text.h"
#include "fd_store/fd_store.h"
#include "fd_store/sockets.h"
#include "init/agent_process.h"
#include "init/boot_context.h"
#include "init/console.h"
#include "init/namespace_setup.h"
#include "init/pid_one.h"
#include "init/run_directory.h"

namespace causeway::init {
namespace {

// 65,536 exit reports; what an unprivileged pipe may have at most by default.
constexpr int kExitsPipeSize = 1 << 20;

std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  (void)!::getrandom(bytes.data(), bytes.size(), 0);
  std::array<char, 33> out{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    std::snprintf(out.data() + i * 2, 3, "%02x", static_cast<unsigned>(bytes[i]));
  return out.data();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return out.data();
}

// RUN/init.json appears when PID 1 is ready to start the agent. No value needs escapes:
// check_options() let only plain version names pass.
Status write_description(const BootContext& context, const std::string& instance) {
  std::string boot_id;
  if (auto content = file::read("/proc/sys/kernel/random/boot_id")) boot_id = text::trim(*content);
  std::string json = "{\"pid\": " + std::to_string(context.pid_outside);
  json += ", \"mode\": \"" + std::string(name(context.mode)) + "\"";
  json += ", \"version\": \"" + context.options.version + "\"";
  json += ", \"started_at\": \"" + utc_now() + "\"";
  json += ", \"boot_id\": \"" + boot_id + "\"";
  json += ", \"instance\": \"" + instance + "\"}\n";
  return file::write_atomic(context.options.run + "/init.json", json);
}

// The store with what init itself keeps in it; gives the write end for exit reports.
Result<UniqueFd> fill_store(const std::string& run, fd_store::FdStore& store) {
  if (auto bound = fd_store::bind_sockets(run, store); !bound) return std::move(bound).error();
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return errno_error("pipe");
  UniqueFd write_end(ends[1]);
  // A smaller pipe only holds fewer reports.
  (void)::fcntl(write_end.get(), F_SETPIPE_SZ, kExitsPipeSize);
  if (!store.keep("exits", UniqueFd(ends[0]))) return make_error("keep exits: no free slot");
  return write_end;
}

// One boot after the namespace is there; returns the exit code.
int run_boot(BootContext& context) {
  const auto& options = context.options;
  fd_store::FdStore store;
  auto exits = fill_store(options.run, store);
  if (!exits) return setup_failed(exits.error(), "choose another run directory");
  const std::string instance = random_hex();
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  AgentProcess agent(
      std::move(context.binary),
      {"causeway", "agent", "--run", options.run, "--data", options.data, "--etc", options.etc},
      std::move(environment), instance);
  auto one = PidOne::make(store, agent, std::move(*exits), std::move(context.outer),
                          std::chrono::milliseconds(options.stop_timeout).count());
  if (!one) return setup_failed(one.error(), "report this");
  if (auto written = write_description(context, instance); !written)
    return setup_failed(written.error(), "choose another run directory");
  say(log::Level::info, "init.started mode=%s pid=%d version=%s", name(context.mode).data(),
      static_cast<int>(context.pid_outside),
      options.version.empty() ? "-" : options.version.c_str());
  one->run();

  tear_down_namespace(context);
  if (one->outer_gone() && context.home && ::setns(context.home.get(), CLONE_NEWNS) == 0)
    unmount_run(options.run);
  return kDone;
}

int set_up_and_live(BootContext& context) {
  try {
    if (const auto failed = set_up_namespace(context))
      return setup_failed(failed->error, failed->what_to_do);
    return run_boot(context);
  } catch (const std::exception& e) {
    return setup_failed(make_error(e.what()), "free some memory");
  }
}

}  // namespace

int run_pid_one(BootContext& context) {
  // Ctrl-Alt-Del becomes SIGINT, an ordered stop.
  if (context.mode == Mode::pid1) ::reboot(RB_DISABLE_CAD);
  return set_up_and_live(context);
}

void power_off() {
  // In a PID namespace that somebody has made, the root file system is the machine's, and the end
  // is an exit. (The number is fixed: PROC_PID_INIT_INO of linux/proc_ns.h. Without /proc nothing
  // was mounted yet, nor written.)
  constexpr ino_t kMachinesPidNamespace = 0xEFFFFFFC;
  struct stat info {};
  const bool has_proc = ::stat("/proc/self/ns/pid", &info) == 0;
  if (has_proc && info.st_ino != kMachinesPidNamespace) return;
  if (has_proc) ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
  ::sync();
  ::reboot(RB_POWER_OFF);
}

}  // namespace causeway::init
