#include "binds/source_mapper.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "paths/engine_places.h"

namespace causeway::binds {

using paths::Target;

struct SourceMapper::Job {
  paths::Identity asker;
  std::vector<std::string> sources;
  Done done;
  std::vector<Target> targets;
  Mapped result;
  std::size_t open = 0;  // questions that aren't answered yet
  bool waited = false;
  bool later = false;  // map() has returned: its caller may be called
};

SourceMapper::SourceMapper(io::Loop& loop, Distros& distros, Limits limits)
    : loop_(loop), distros_(distros), limits_(limits) {}

void SourceMapper::map(const paths::Identity& asker, std::vector<std::string> sources, Done done) {
  auto job = std::make_shared<Job>();
  job->asker = asker;
  job->sources = std::move(sources);
  job->done = std::move(done);
  classify(job);
  job->later = true;
}

void SourceMapper::classify(const std::shared_ptr<Job>& job) {
  const auto& world = distros_.world();
  std::set<std::string> absent;
  job->targets.clear();
  job->targets.reserve(job->sources.size());
  for (const auto& source : job->sources) {
    auto target = paths::classify(job->asker, source, world);
    if (target.kind == Target::Kind::refused) {
      job->result = {400, std::move(target.reason), {}};
      return finish(job);
    }
    if (target.kind == Target::Kind::absent) absent.insert(target.distro);
    job->targets.push_back(std::move(target));
  }
  if (absent.empty()) return resolve(job);
  if (job->waited) {
    job->result = {400, not_running(distros_, *absent.begin()), {}};
    return finish(job);
  }
  job->waited = true;
  await_distros(distros_, absent, limits_.distro_ms,
                lifetime_.guard([this, job](const Awaited& awaited) {
                  if (awaited.obstacle.empty()) return classify(job);
                  job->result = {400, awaited.obstacle, {}};
                  finish(job);
                }));
}

void SourceMapper::resolve(const std::shared_ptr<Job>& job) {
  auto& result = job->result;
  result.paths.resize(job->sources.size());
  std::map<std::string, std::vector<std::size_t>> by_distro;
  for (std::size_t i = 0; i < job->targets.size(); ++i) {
    const auto& target = job->targets[i];
    if (target.kind == Target::Kind::in_distro) {
      by_distro[target.distro].push_back(i);
    } else {
      const bool same = target.kind == Target::Kind::as_is;
      result.paths[i] = same ? job->sources[i] : target.path;
    }
  }
  if (by_distro.empty()) return finish(job);
  job->open = by_distro.size();
  for (const auto& [distro, which] : by_distro) {
    std::vector<std::string> asked;
    asked.reserve(which.size());
    for (const auto i : which) asked.push_back(job->targets[i].path);
    distros_.resolve(distro, std::move(asked),
                     lifetime_.guard([this, job, distro = distro, which = which](auto resolved) {
                       placed(job, distro, which, std::move(resolved));
                     }));
  }
}

void SourceMapper::placed(const std::shared_ptr<Job>& job, const std::string& distro,
                          const std::vector<std::size_t>& which,
                          std::vector<Result<std::string>> resolved) {
  auto& result = job->result;
  for (std::size_t n = 0; n < which.size(); ++n) {
    const auto fail = [&](const std::string& why) {
      if (result.status == 0) result = {400, "invalid mount source: " + why, {}};
    };
    if (n >= resolved.size()) {
      fail("the distro " + distro + " gave no answer");
      break;
    }
    if (!resolved[n]) {
      fail(resolved[n].error().message);
      continue;
    }
    auto place = paths::place(job->asker, distro, *resolved[n], distros_.world());
    if (!place) {
      fail(place.error().message);
    } else if (result.status == 0) {
      result.paths[which[n]] = *std::move(place);
    }
  }
  if (--job->open == 0) finish(job);
}

void SourceMapper::finish(const std::shared_ptr<Job>& job) {
  if (job->later) return tell(*job);
  loop_.defer(lifetime_.guard([this, job] { tell(*job); }));
}

void SourceMapper::tell(Job& job) {
  if (job.result.status == 0 && on_windows_files) {
    for (std::size_t i = 0; i < job.sources.size(); ++i)
      if (paths::split_drive_place(job.result.paths[i]) && job.result.paths[i] != job.sources[i])
        on_windows_files(job.asker, job.sources[i]);
  }
  const auto done = std::move(job.done);
  done(std::move(job.result));  // last: it may end us
}

}  // namespace causeway::binds
