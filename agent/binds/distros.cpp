#include "binds/distros.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "base/text.h"

namespace causeway::binds {

bool is_attached(const Distros& distros, const std::string& distro) {
  const auto& known = distros.world().distros;
  const auto found = known.find(distro);
  return found != known.end() && found->second.attached;
}

void await_distros(Distros& distros, const std::set<std::string>& names, std::uint64_t limit_ms,
                   std::function<void(const Awaited&)> done) {
  struct Wait {
    std::size_t open = 0;
    Awaited result;
    std::function<void(const Awaited&)> done;
  };
  auto wait = std::make_shared<Wait>();
  for (const auto& name : names) {
    wait->result.obstacle = distros.obstacle(name);
    if (!wait->result.obstacle.empty()) break;
  }
  if (names.empty() || !wait->result.obstacle.empty()) return done(wait->result);
  wait->open = names.size();
  wait->done = std::move(done);
  for (const auto& name : names) {
    distros.request(name);
    distros.when_attached(name, limit_ms, [wait, name](bool attached) {
      if (!attached) wait->result.missing.insert(name);
      if (--wait->open == 0) wait->done(wait->result);
    });
  }
}

std::string not_running(const Distros& distros, const std::string& distro) {
  const auto reason = distros.not_started(distro);
  if (!reason.empty())
    return "the WSL distro " + text::printable(distro) +
           " is not running, and Windows did not start it: " + text::printable(reason);
  return "the WSL distro " + text::printable(distro) +
         " is not running, and it was not started in time: open it once (wsl -d " +
         text::printable(distro) + "), and try again";
}

}  // namespace causeway::binds
