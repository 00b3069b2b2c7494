#include "binds/bind_check.h"

#include <set>
#include <utility>

#include "base/text.h"
#include "containers/container_records.h"
#include "json/json.h"
#include "paths/engine_places.h"

namespace causeway::binds {
namespace {
constexpr std::uint64_t kInspectMs = 10'000;
constexpr int kConflict = 409;
}  // namespace

struct BindCheck::Job {
  std::string container;
  Done done;
  std::map<std::string, std::vector<std::string>>
      paths;  // of each distro, as the distro names them
  std::size_t open = 0;
  std::string problem;

  void finish() { done(problem.empty() ? 0 : kConflict, problem); }
};

BindCheck::BindCheck(Distros& distros, http_client::HttpClient& engine, std::string docker_root,
                     Limits limits)
    : distros_(distros), engine_(engine), docker_root_(std::move(docker_root)), limits_(limits) {}

void BindCheck::check(const std::string& container, Done done) {
  auto job = std::make_shared<Job>();
  job->container = container;
  job->done = std::move(done);
  engine_.call("GET", "/containers/" + text::percent_encoded(container) + "/json", kInspectMs,
               lifetime_.guard([this, job](const auto& reply) {
                 if (!reply || reply->status != 200) return job->finish();
                 inspected(job, reply->body);
               }));
}

void BindCheck::inspected(const std::shared_ptr<Job>& job, const std::string& body) {
  const auto container = json::Json::parse(body);
  if (!container) {
    job->problem =
        "the engine's description of the container can't be read: " + container.error().message;
    return job->finish();
  }
  for (const auto& mount : (*container)["Mounts"].items()) {
    std::string source = mount["Source"].string_or("");
    if (mount["Type"].string_or("") == "volume")
      source = containers::volume_device(docker_root_, mount["Name"].string_or(""));
    if (const auto share = paths::split_share_place(source))
      job->paths[std::string(share->distro)].emplace_back(share->rest);
  }
  if (job->paths.empty()) return job->finish();
  // First the shares, then the links: a distro may need a start.
  std::set<std::string> absent;
  for (const auto& [distro, paths] : job->paths)
    if (!is_attached(distros_, distro)) absent.insert(distro);
  await_distros(distros_, absent, limits_.distro_ms,
                lifetime_.guard([this, job](const Awaited& awaited) {
                  job->problem = awaited.obstacle;
                  if (!awaited.missing.empty())
                    job->problem = not_running(distros_, *awaited.missing.begin());
                  if (!job->problem.empty()) return job->finish();
                  look(job);
                }));
}

void BindCheck::look(const std::shared_ptr<Job>& job) {
  job->open = job->paths.size();
  for (const auto& [distro, paths] : job->paths)
    distros_.resolve(distro, paths, lifetime_.guard([this, job, distro = distro](auto found) {
      resolved(job, distro, found);
    }));
}

void BindCheck::resolved(const std::shared_ptr<Job>& job, const std::string& distro,
                         const std::vector<Result<std::string>>& found) {
  const auto& asked = job->paths[distro];
  for (std::size_t i = 0; i < asked.size() && job->problem.empty(); ++i) {
    if (i >= found.size() || !found[i]) {
      job->problem = "mount source " + text::printable(asked[i]) + " of the distro " + distro +
                     ": " + (i < found.size() ? found[i].error().message : "no answer");
    } else if (*found[i] != asked[i]) {
      job->problem = "mount source " + text::printable(asked[i]) + " of the distro " + distro +
                     " has become a symbolic link, to " + text::printable(*found[i]) +
                     ": make the container anew to use what it leads to";
    }
  }
  if (--job->open == 0) job->finish();
}

}  // namespace causeway::binds
