// SharesWait is the time between the agent's start and dockerd's: dockerd starts containers by
// itself, and those whose distro is still on its way would fail. It asks for the distros that are
// needed and makes RUN/shares.ready when all are there, or when it has waited long enough;
// `causeway await-shares`, a step before dockerd, waits for that file.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/lifetime.h"
#include "binds/distros.h"

namespace causeway::daemon {

class SharesWait {
 public:
  // Windows starts a distro in 1 to 3 s; a container that came too early is started again anyway.
  static constexpr std::uint64_t kLimitMs = 8'000;

  // `distros` outlives it. `over` is called once when it ends, if it had to wait.
  SharesWait(binds::Distros& distros, std::string run, const std::string& docker_root,
             std::function<void()> over);

  // The distros that are waited for; empty when it is over.
  std::set<std::string> distros() const;

 private:
  void finish();

  binds::Distros& distros_;
  const std::string run_;
  std::function<void()> over_;
  std::set<std::string> waiting_;
  Lifetime lifetime_;
};

}  // namespace causeway::daemon
