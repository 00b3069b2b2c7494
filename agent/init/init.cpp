#include "init/init.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>

#include "base/exit_code.h"
#include "base/text.h"
#include "init/boot_context.h"
#include "init/console.h"

namespace causeway::init {
namespace {

bool usable_path(const std::string& path) {
  return path.size() > 1 && path.front() == '/' && path.back() != '/' &&
         path.find("//") == std::string::npos && (path + "/").find("/../") == std::string::npos &&
         (path + "/").find("/./") == std::string::npos;
}

bool usable_version(const std::string& version) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '+' || c == '~';
  };
  return !version.empty() && version.front() != '.' &&
         std::all_of(version.begin(), version.end(), allowed);
}

Status check_options(const InitOptions& options) {
  for (const auto& [name, path] :
       {std::pair{"--data", &options.data}, std::pair{"--run", &options.run},
        std::pair{"--etc", &options.etc}})
    if (!usable_path(*path))
      return make_error(std::string(name) + " '" + text::printable(*path) +
                        "': an absolute path without '.', '..' and '//' is needed");
  if (options.versions.empty() != options.version.empty())
    return make_error("--versions and --version go together");
  if (!options.versions.empty() && !usable_path(options.versions))
    return make_error("--versions '" + text::printable(options.versions) +
                      "': an absolute path is needed");
  if (!options.version.empty() && !usable_version(options.version))
    return make_error("--version '" + text::printable(options.version) +
                      "': a name of letters, digits and ._-+~ is needed");
  if (options.stop_timeout.count() < 0 || options.stop_timeout.count() > 86400)
    return make_error("--stop-timeout: 0 to 86400 seconds");
  // As PID 1 of the machine init stops every process there is.
  if ((options.mode == Mode::pid1) != (::getpid() == 1) && options.mode)
    return make_error(::getpid() == 1 ? "PID 1 has only the mode pid1"
                                      : "mode pid1 is for PID 1 only");
  return Ok{};
}

int run(const InitOptions& options) {
  if (auto checked = check_options(options); !checked) {
    say(log::Level::error, "init.usage error=\"%s\"", checked.error().message.c_str());
    return kUsage;
  }
  utsname kernel{};
  ::uname(&kernel);
  if (auto checked = check_kernel(kernel.release); !checked)
    return setup_failed(checked.error(), "update the kernel (on Windows: wsl.exe --update)");
  if (::geteuid() != 0) return setup_failed(make_error("not root"), "run it as root");

  BootContext context;
  context.options = options;
  const char* distro = std::getenv("WSL_DISTRO_NAME");
  const ModeInputs inputs{::getpid(), kernel.release, distro == nullptr ? "" : distro};
  auto exists = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
  context.mode = options.mode ? *options.mode : detect_mode(inputs, exists);
  return context.mode == Mode::pid1 ? run_pid_one(context) : run_outer(context);
}

}  // namespace

int setup_failed(const Error& error, std::string_view what_to_do) {
  say(log::Level::error, "init.setup_failed error=\"%s\" what_to_do=\"%.*s\"",
      text::printable(error.message).c_str(), static_cast<int>(what_to_do.size()),
      what_to_do.data());
  return kSetUpFailed;
}

Result<UniqueFd> open_agent(const InitOptions& options) {
  const std::string path = options.agent.empty() ? "/proc/self/exe" : options.agent;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return errno_error("open " + path);
  if (!S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0)
    return make_error("open " + path + ": not an executable file");
  return fd;
}

int run_init(const InitOptions& options) {
  fill_standard_fds();
  ::signal(SIGPIPE,
           SIG_IGN);  // whoever reads our messages may leave; the agent gets the default back
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  open_console();
  int code = kSetUpFailed;
  try {
    code = run(options);
  } catch (const std::exception& e) {
    code = setup_failed(make_error(e.what()), "free some memory");
  }
  // An exit of the real PID 1 is a kernel panic, so wrong usage and a failed set-up end with a
  // power-off, too: the message stands on the console.
  if (::getpid() == 1) power_off();
  return code;
}

}  // namespace causeway::init
