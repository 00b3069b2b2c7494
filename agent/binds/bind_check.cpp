#include "binds/bind_check.h"

#include <set>
#include <utility>

#include "base/text.h"
#include "containers/container_records.h"
#include "json/json.h"
#include "paths/engine_paths.h"

namespace causeway::binds {
namespace {
constexpr std::uint64_t kInspectMs = 10'000;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr int kUnavailable = 503;

// Why dockerd, or we ourselves, can't tell what the container mounts.
std::string unknown(const std::string& why) {
  return "the bind sources of the container can't be checked, so it isn't let through: " + why;
}

// What dockerd says in an error, or the whole answer.
std::string message_of(const http_client::Reply& reply) {
  const auto body = json::Json::parse(reply.body);
  auto message = body ? (*body)["message"].string_or("") : std::string();
  if (message.empty()) message = "the engine answers with status " + std::to_string(reply.status);
  return message;
}

}  // namespace

struct BindCheck::Job {
  std::string container;
  Done done;
  std::map<std::string, std::vector<std::string>>
      paths;  // of each distro, as the distro names them
  std::size_t open = 0;
  std::string problem;

  void finish() { done(problem.empty() ? 0 : kConflict, problem); }
  void give_up(int status, const std::string& why) { done(status, unknown(why)); }
};

BindCheck::BindCheck(Distros& distros, http_client::HttpClient& engine, std::string docker_root,
                     Limits limits)
    : distros_(distros), engine_(engine), docker_root_(std::move(docker_root)), limits_(limits) {}

void BindCheck::check(const std::string& container, Done done) {
  auto job = std::make_shared<Job>();
  job->container = container;
  job->done = std::move(done);
  engine_.call("GET", "/containers/" + text::percent_encoded(container) + "/json", kInspectMs,
               lifetime_.guard([this, job](const auto& reply) { inspected(job, reply); }));
}

void BindCheck::inspected(const std::shared_ptr<Job>& job,
                          const Result<http_client::Reply>& reply) {
  if (!reply) return job->give_up(kUnavailable, reply.error().message);
  if (reply->status == kNotFound) return job->finish();
  if (reply->status != 200) {
    // The engine's own error keeps its status: that a name is ambiguous, say.
    const bool error = reply->status >= 400;
    return job->give_up(error ? reply->status : kUnavailable, message_of(*reply));
  }
  const auto container = json::Json::parse(reply->body);
  if (!container) return job->give_up(kUnavailable, container.error().message);
  const json::Json& mounts = (*container)["Mounts"];
  if (!mounts.is_array())
    return job->give_up(kUnavailable, "the engine's description of it has no list of mounts");
  for (const auto& mount : mounts.items()) {
    std::string source = mount["Source"].string_or("");
    if (mount["Type"].string_or("") == "volume") {
      auto device = containers::read_volume_device(docker_root_, mount["Name"].string_or(""));
      if (!device) return job->give_up(kUnavailable, device.error().message);
      source = *std::move(device);
    }
    if (const auto share = paths::split_share_path(source))
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
