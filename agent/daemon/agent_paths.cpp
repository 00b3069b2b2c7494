#include "daemon/agent_paths.h"

#include <utility>

#include "base/text.h"

namespace causeway::daemon {

AgentPaths::AgentPaths(io::Loop& loop, shares::Shares& shares, http_client::HttpClient& engine,
                       const std::string& docker_root)
    : shares_(shares), mapper_(loop, *this), check_(*this, engine, docker_root) {
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

void AgentPaths::map(const paths::Identity& identity, const engine_api::Route&,
                     std::vector<std::string> sources, Done done) {
  mapper_.map(identity, std::move(sources), [done = std::move(done)](binds::Mapped mapped) {
    done({mapped.status, std::move(mapped.message), std::move(mapped.paths)});
  });
}

void AgentPaths::check(const paths::Identity& identity, std::string container, Done done) {
  check_.check(container,
               [this, identity, done = std::move(done)](int status, std::string message) {
                 done({status, unmap_text(identity, message), {}});
               });
}

void AgentPaths::check(const std::string& container,
                       std::function<void(const std::string& problem)> done) {
  check_.check(container,
               [done = std::move(done)](int, const std::string& problem) { done(problem); });
}

std::string AgentPaths::unmap(const paths::Identity& identity, std::string_view engine_path) {
  return paths::unmap(identity, engine_path, shares_.world());
}

std::string AgentPaths::unmap_text(const paths::Identity& identity, std::string_view text) {
  return paths::unmap_text(identity, text, shares_.world());
}

}  // namespace causeway::daemon
