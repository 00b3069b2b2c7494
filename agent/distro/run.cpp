#include "distro/run.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/descriptor_limit.h"
#include "base/exit_code.h"
#include "base/log.h"
#include "base/text.h"
#include "distro/integrated_distro.h"
#include "io/signal.h"
#include "paths/path_mapper.h"

namespace causeway::distro {
namespace {

constexpr const char* kEngineDistro = "docker-desktop";

int fail(int code, const std::string& text) {
  std::fprintf(stderr, "causeway distro: %s\n", text.c_str());
  return code;
}

// One helper in a distro: two would take each other's links and sockets for somebody else's. The
// lock goes with the process and leaves no file.
Result<UniqueFd> lock(const std::string& root) {
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("open " + root);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return errno_error("lock " + root);
  return fd;
}

}  // namespace

int run(Options options) {
  if (options.name.empty()) {
    const char* name = std::getenv("WSL_DISTRO_NAME");
    options.name = name == nullptr ? "" : name;
  }
  if (!paths::valid_distro_name(options.name))
    return fail(kUsage, options.name.empty()
                            ? "which distro is this? Give --name, or set WSL_DISTRO_NAME"
                            : text::printable(options.name) + " can't be a distro's name");
  if (text::iequals(options.name, kEngineDistro))
    return fail(kUsage, std::string(kEngineDistro) + " is the engine's own distro");
  if (::geteuid() != 0) return fail(kNotAllowed, "it must run as root");
  log::init("causeway-distro", log::level_named(options.log_level));
  std::signal(SIGHUP, SIG_IGN);  // the terminal that started us may go
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  (void)raise_descriptor_limit();

  const auto locked = lock(options.root);
  if (!locked && locked.error().code == EWOULDBLOCK)
    return fail(kOtherRuns, "another helper runs in this distro");
  if (!locked) return fail(kSetUpFailed, locked.error().message);
  const auto files = RootFiles::open(options.root);
  if (!files) return fail(kSetUpFailed, files.error().message);

  io::Loop loop;
  int code = kDone;
  IntegratedDistro distro(loop, *files, std::move(options), [&](bool whole) {
    code = whole ? kDone : kNo;
    loop.stop();
  });
  const io::SignalWatch terminate(loop, SIGTERM, [&] { loop.stop(); });
  const io::SignalWatch interrupt(loop, SIGINT, [&] { loop.stop(); });
  if (auto started = distro.start(); !started) return fail(kSetUpFailed, started.error().message);
  loop.run();
  return code;
}

}  // namespace causeway::distro
