#include "attach/engine_start.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/exit_code.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "control_client/agent_contact.h"
#include "io/loop.h"
#include "io/poll.h"
#include "mounts/mount_watch.h"

namespace causeway::attach {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLogLimit = 1 << 20;
constexpr std::size_t kLogTail = 1500;  // of a failed start, for the error's text

std::string log_file(const AttachOptions& options) { return options.data + "/log/init.log"; }

// The pid of the init that holds the lock of RUN (init/run_directory.h), as we see it.
std::optional<pid_t> running_init(const std::string& run) {
  const UniqueFd lock(::open((run + ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock || ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  const auto content = file::read(run + ".lock", 64);
  const auto pid = content ? text::to_u64(text::trim(*content)) : std::nullopt;
  return static_cast<pid_t>(pid.value_or(0));
}

// WSL keeps two mount namespaces in each distro, for elevated and other Windows processes (WSL,
// doc/docs/technical-documentation/drvfs.md): what one mounts the other doesn't see, so that an
// engine that was joined from the wrong one would be half there.
Status check_namespace(pid_t init) {
  struct stat theirs {};
  struct stat ours {};
  const std::string path = "/proc/" + std::to_string(init) + "/ns/mnt";
  if (init <= 0 || ::stat(path.c_str(), &theirs) != 0 || ::stat("/proc/self/ns/mnt", &ours) != 0 ||
      (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev))
    return Ok{};
  return Error{
      "the engine runs in another mount namespace of this distro than this process: WSL gives "
      "elevated programs one of their own. Start it from a Windows program that is not elevated "
      "(not \"as administrator\")",
      EPERM};
}

class Init {
 public:
  static Result<Init> start(const AttachOptions& options, const std::string& version);

  int watch_fd() const { return pidfd_.get(); }
  // The exit code, once it has ended.
  std::optional<int> ended() const {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

Result<UniqueFd> open_log(const std::string& path) {
  if (auto made = file::make_directories(path.substr(0, path.rfind('/'))); !made)
    return std::move(made).error();
  std::error_code none;
  if (fs::file_size(path, none) > kLogLimit && !none) fs::rename(path, path + ".1", none);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return errno_error("open " + path);
  return fd;
}

Result<Init> Init::start(const AttachOptions& options, const std::string& version) {
  auto log = open_log(log_file(options));
  if (!log) return std::move(log).error();
  std::vector<std::string> arguments{"causeway", "init",      "--mode", options.mode,
                                     "--run",    options.run, "--data", options.data,
                                     "--etc",    options.etc};
  if (!version.empty())
    arguments.insert(arguments.end(), {"--versions", options.versions, "--version", version});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const UniqueFd program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!program || !nothing) return errno_error("open this program");
  Init init;
  init.pid_ = ::fork();
  if (init.pid_ < 0) return errno_error("fork");
  if (init.pid_ == 0) {
    // A session of its own: the end of this command, or of its terminal, is nothing to it.
    ::setsid();
    ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(log->get(), STDOUT_FILENO);
    ::dup2(log->get(), STDERR_FILENO);
    sigset_t no_signals;
    ::sigemptyset(&no_signals);
    ::sigprocmask(SIG_SETMASK, &no_signals, nullptr);
    (void)!::chdir("/");
    ::fexecve(program.get(), argv.data(), environ);
    ::_exit(kSetUpFailed);
  }
  init.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, init.pid_, 0)));
  return init;
}

Error start_failed(int code, const AttachOptions& options) {
  std::string said;
  if (auto log = file::read(log_file(options), 2 * kLogLimit); log && !log->empty())
    said = log->substr(log->size() - std::min(log->size(), kLogTail));
  if (const auto line = said.find('\n'); said.size() == kLogTail && line != std::string::npos)
    said.erase(0, line + 1);
  return make_error("`causeway init` ended with exit code " + std::to_string(code) + "; " +
                    log_file(options) + " ends with:\n" + std::string(text::trim(said)));
}

}  // namespace

Result<std::string> current_version(const std::string& versions) {
  std::error_code none;
  if (!fs::is_directory(versions, none)) return std::string();
  const fs::path current = versions + "/current";
  if (fs::is_symlink(current, none)) {
    const auto name = fs::read_symlink(current, none).string();
    if (name.empty() || name.find('/') != std::string::npos ||
        !fs::is_directory(versions + "/" + name))
      return make_error(current.string() + " names '" + text::printable(name) +
                        "', and there is no such version: point it to one of those in " + versions);
    return name;
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(versions, none))
    if (const auto name = entry.path().filename().string(); name[0] != '.')
      if (entry.is_directory(none)) names.push_back(name);
  if (names.size() == 1) return names[0];
  return make_error(versions + " holds " + std::to_string(names.size()) +
                    " versions, and no link `current` says which of them to run");
}

Result<control_client::ControlClient> bring_up(const AttachOptions& options,
                                               std::uint64_t deadline_ms) {
  if (const auto init = running_init(options.run))
    if (auto same = check_namespace(*init); !same) return std::move(same).error();
  const std::string socket = control_client::control_socket(options.run);
  if (auto client = control_client::ControlClient::connect(socket)) return client;
  io::Loop loop;
  // Init mounts a new file system on RUN: what was watched there before is hidden then.
  auto mounts =
      mounts::MountWatch::start(loop, mounts::MountWatch::kCollectMs, [&] { loop.stop(); });
  if (!mounts) return std::move(mounts).error();
  std::optional<Init> init;
  std::unique_ptr<io::Poll> end;
  if (!running_init(options.run)) {
    auto version = options.version.empty() ? current_version(options.versions)
                                           : Result<std::string>(options.version);
    if (!version) return std::move(version).error();
    auto started = Init::start(options, *version);
    if (!started) return std::move(started).error().with("start `causeway init`");
    init = std::move(*started);
    end = std::make_unique<io::Poll>(loop, init->watch_fd(), [&](unsigned) { loop.stop(); });
    end->watch(io::Poll::readable);
  }
  auto client = control_client::connect_when_there(loop, socket, deadline_ms, [&]() -> Status {
    const auto ended = init ? init->ended() : std::nullopt;
    if (!ended) return Ok{};
    end.reset();
    init.reset();
    // Another one was faster: that one's socket is waited for.
    return *ended == kOtherRuns ? Status(Ok{}) : start_failed(*ended, options);
  });
  if (!client && client.error().code == ETIMEDOUT)
    return Error{"the agent does not answer on " + socket + " in time; see " + log_file(options),
                 ETIMEDOUT};
  return client;
}

}  // namespace causeway::attach
