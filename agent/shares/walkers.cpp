#include "shares/walkers.h"

#include <utility>

#include "base/text.h"

namespace causeway::shares {

Walkers::Walkers(io::Loop& loop, std::string directory, StartWalk start,
                 std::function<void()> changed)
    : loop_(loop),
      directory_(std::move(directory)),
      start_(std::move(start)),
      changed_(std::move(changed)),
      reaper_(loop) {}

Walker& Walkers::of(const std::string& distro) {
  auto& walker = walkers_[distro];
  if (!walker)
    walker = std::make_unique<Walker>(loop_, reaper_,
                                      Walker::Options{directory_ + "/" + distro, start_}, changed_);
  return *walker;
}

void Walkers::stop(const std::string& distro) {
  if (const auto found = walkers_.find(distro); found != walkers_.end()) found->second->stop();
}

void Walkers::mounts_changed(const std::vector<paths::MountEntry>& mounts) {
  for (const auto& [distro, walker] : walkers_) walker->mounts_changed(mounts);
}

std::vector<std::string> Walkers::problems() const {
  std::vector<std::string> out;
  for (const auto& [distro, walker] : walkers_)
    for (const auto& hanging : walker->hanging())
      out.push_back((distro.empty() ? "" : text::printable(distro) + ": ") + hanging.what +
                    " does not answer: what needs it is refused, all else goes on (process " +
                    std::to_string(hanging.pid) + " waits for it)");
  return out;
}

}  // namespace causeway::shares
