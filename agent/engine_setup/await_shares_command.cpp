#include "engine_setup/await_shares_command.h"

#include <unistd.h>

#include <cstdio>

#include "base/exit_code.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"

namespace causeway::engine_setup {

int run_await_shares(const AwaitSharesOptions& options) {
  const std::string path = options.run + kSharesReady;
  const auto there = [&] { return ::access(path.c_str(), F_OK) == 0; };
  if (there()) return kDone;
  io::Loop loop;
  io::Timer limit(loop);
  auto watch = io::PathWatch::start(loop, path, [&] {
    if (there()) loop.stop();
  });
  if (!watch) {
    std::printf("await-shares: %s; not waiting\n", watch.error().message.c_str());
    return kDone;
  }
  if (there()) return kDone;
  limit.start(options.timeout_s * 1000, [&] { loop.stop(); });
  loop.run();
  if (!there())
    std::printf("await-shares: not all shares came within %llu s; going on without\n",
                static_cast<unsigned long long>(options.timeout_s));
  return kDone;
}

}  // namespace causeway::engine_setup
