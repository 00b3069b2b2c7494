#include "shares/distro_resolver.h"

#include <fcntl.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "handover/resolve.h"
#include "shares/plain_paths.h"

namespace causeway::shares {
namespace {

// A look at some links in the distro's page cache; one that hangs on a dead network mount must not
// hold a client for longer.
constexpr std::uint64_t kResolveMs = 5000;

Result<std::string> from(const handover::Resolution& resolution) {
  if (!resolution.error.empty()) return make_error(resolution.error);
  return resolution.path;
}

}  // namespace

// Of a share; empty when it isn't there. Not to be kept: it keeps the distro's disk busy.
UniqueFd DistroResolver::open_root(const std::string& distro) const {
  if (!attached_.usable(distro)) return {};
  return UniqueFd(::open(attached_.path_of(distro).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void DistroResolver::resolve(const std::string& distro, std::vector<std::string> paths, Done done) {
  std::vector<std::size_t> open;  // those that have to be asked for
  std::vector<std::string> asked;
  const UniqueFd root = open_root(distro);
  std::string device;
  if (const auto* record = attached_.record(distro); record != nullptr)
    if (const auto disk = record->mounts.find("/"); disk != record->mounts.end())
      device = disk->second.device;
  const auto plain = find_plain(root.get(), device, paths);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (plain[i]) continue;
    open.push_back(i);
    asked.push_back(paths[i]);
  }
  Answers out(std::make_move_iterator(paths.begin()), std::make_move_iterator(paths.end()));
  if (open.empty()) {
    loop_.defer(lifetime_.guard(
        [out = std::move(out), done = std::move(done)]() mutable { done(std::move(out)); }));
    return;
  }
  ask_helper(distro, std::move(asked),
             [out = std::move(out), open = std::move(open),
              done = std::move(done)](Answers answers) mutable {
               for (std::size_t n = 0; n < open.size(); ++n)
                 out[open[n]] = n < answers.size() ? std::move(answers[n])
                                                   : make_error("the helper gave no answer");
               done(std::move(out));
             });
}

void DistroResolver::ask_helper(const std::string& distro, std::vector<std::string> paths,
                                Done done) {
  auto* helper = helpers_.helper(distro);
  const bool too_long =
      std::any_of(paths.begin(), paths.end(), [](const auto& p) { return p.size() >= PATH_MAX; });
  // One path that no kernel takes has an error of its own, and is no reason not to answer the rest.
  if (helper == nullptr || too_long || !attached_.usable(distro))
    return answer_here(distro, std::move(paths), std::move(done));
  auto asked = paths;
  helper->resolve(std::move(asked), kResolveMs,
                  lifetime_.guard([this, distro, paths = std::move(paths),
                                   done = std::move(done)](auto results) {
                    if (!results) {
                      log::warning("share.resolved_here",
                                   {{"distro", distro}, {"why", results.error().message}});
                      return answer_here(distro, paths, done);
                    }
                    Answers out;
                    for (const auto& result : *results) out.push_back(from(result));
                    done(std::move(out));
                  }));
}

void DistroResolver::answer_here(const std::string& distro, std::vector<std::string> paths,
                                 Done done) {
  loop_.defer(lifetime_.guard([this, distro, paths = std::move(paths), done = std::move(done)] {
    done(resolve_here(distro, paths));
  }));
}

DistroResolver::Answers DistroResolver::resolve_here(const std::string& distro,
                                                     const std::vector<std::string>& paths) const {
  Answers out;
  const UniqueFd root = open_root(distro);
  for (const auto& path : paths) {
    if (root)
      out.push_back(handover::resolve_path(root.get(), path));
    else
      out.push_back(make_error("the distro " + distro + " isn't running"));
  }
  return out;
}

}  // namespace causeway::shares
