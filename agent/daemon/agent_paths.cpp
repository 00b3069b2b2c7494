#include "daemon/agent_paths.h"

#include <utility>

#include "base/text.h"
#include "paths/engine_paths.h"

namespace causeway::daemon {

AgentPaths::AgentPaths(io::Loop& loop, shares::Shares& shares, http_client::HttpClient& engine,
                       const std::string& docker_root)
    : shares_(shares),
      mapper_(loop, *this),
      check_(*this, engine, docker_root),
      editor_(*this, mapper_, check_) {
  mapper_.on_windows_files = [this](const paths::Identity& asker, const std::string& source) {
    if (std::exchange(hinted_, true) || !on_hint) return;
    const std::string who = asker.kind == paths::Identity::Kind::distro ? asker.name : "Windows";
    on_hint(who + " mounts " + text::printable(source) +
            ", which lies on a Windows drive: programs in containers get no events there when a "
            "file changes (inotify), and each access is slow; keep the project in a distro's own "
            "files, as ~/project, for both");
  };
}

std::string AgentPaths::obstacle(const std::string& distro) const {
  if (!shares_.known(distro)) return "no WSL distro " + text::printable(distro) + " is known";
  for (const auto& known : shares_.distros())
    if (known.name == distro && !known.enabled)
      return "the WSL distro " + distro + " is disabled: `causeway distro enable " + distro +
             "` makes its files available again";
  return {};
}

void AgentPaths::check(const std::string& container,
                       std::function<void(const std::string& problem)> done) {
  check_.check(container,
               [done = std::move(done)](int, const std::string& problem) { done(problem); });
}

}  // namespace causeway::daemon
