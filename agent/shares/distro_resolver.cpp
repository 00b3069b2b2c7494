#include "shares/distro_resolver.h"

#include <fcntl.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <memory>
#include <utility>

#include "base/log.h"
#include "shares/plain_paths.h"

namespace causeway::shares {
namespace {

// A look at some links in the distro's page cache; one that hangs on a dead network mount must not
// hold a client for longer than both together.
constexpr std::uint64_t kHelperMs = 3000;
constexpr std::uint64_t kWalkerMs = 2000;
// A helper that did not answer may have all its threads in a file system that is away: the next
// questions don't wait for it.
constexpr std::uint64_t kSilentMs = 10'000;

Result<std::string> from(const handover::Resolution& resolution) {
  if (!resolution.error.empty()) return make_error(resolution.error);
  return resolution.path;
}

}  // namespace

UniqueFd DistroResolver::open_root(const std::string& distro) const {
  if (!attached_.usable(distro)) return {};
  return UniqueFd(::open(attached_.path_of(distro).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void DistroResolver::resolve(const std::string& distro, std::vector<std::string> paths, Done done) {
  std::vector<std::size_t> open;  // those that have to be asked for
  std::vector<std::string> asked;
  const UniqueFd root = open_root(distro);
  const auto plain = find_plain(root.get(), paths);
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
  const auto silent = silent_until_.find(distro);
  const bool is_silent = silent != silent_until_.end() && loop_.now_ms() < silent->second;
  // One path that no kernel takes has an error of its own, and is no reason not to answer the rest.
  if (helper == nullptr || is_silent || too_long || !attached_.usable(distro))
    return ask_walker(distro, std::move(paths), std::move(done));
  auto asked = paths;
  helper->resolve(std::move(asked), kHelperMs,
                  lifetime_.guard([this, distro, paths = std::move(paths),
                                   done = std::move(done)](auto results) {
                    if (!results) {
                      silent_until_[distro] = loop_.now_ms() + kSilentMs;
                      log::warning("share.resolved_here",
                                   {{"distro", distro}, {"why", results.error().message}});
                      return ask_walker(distro, paths, done);
                    }
                    Answers out;
                    for (const auto& result : *results) out.push_back(from(result));
                    done(std::move(out));
                  }));
}

// One question each: what one path hangs in doesn't keep the others from their answers.
void DistroResolver::ask_walker(const std::string& distro, std::vector<std::string> paths,
                                Done done) {
  struct Open {
    Answers answers;
    std::size_t left = 0;
    Done done;
  };
  const auto open = std::make_shared<Open>();
  open->done = std::move(done);
  open->left = paths.size();
  open->answers.assign(paths.size(), make_error("the distro " + distro + " isn't running"));
  if (!attached_.usable(distro) || paths.empty())
    return loop_.defer(lifetime_.guard([open] { open->done(std::move(open->answers)); }));
  auto& walker = walkers_.of(distro);
  for (std::size_t i = 0; i < paths.size(); ++i)
    walker.resolve(paths[i], kWalkerMs, lifetime_.guard([open, i](Result<std::string> path) {
      open->answers[i] = std::move(path);
      if (--open->left == 0) open->done(std::move(open->answers));
    }));
}

}  // namespace causeway::shares
