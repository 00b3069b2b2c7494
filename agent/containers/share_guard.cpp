#include "containers/share_guard.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "json/json.h"
#include "paths/engine_places.h"

namespace causeway::containers {
namespace {

using http_client::Reply;
using json::Json;

constexpr std::uint64_t kListMs = 5'000;
// One second of grace is in the call itself: the distro is gone already, and its disk is to be free
// within two.
constexpr std::uint64_t kStopMs = 20'000;
constexpr std::string_view kStopQuery = "/stop?t=1";
// filters={"event":["start","disconnect"],"type":["container","network"]}
constexpr const char* kEvents =
    "/events?filters=%7B%22event%22%3A%5B%22start%22%2C%22disconnect%22%5D%2C%22type%22%3A%5B%22"
    "container%22%2C%22network%22%5D%7D";
// A container's start mounts layers and runs its program; a slow disk takes seconds.
constexpr std::uint64_t kStartMs = 120'000;

}  // namespace

ShareGuard::ShareGuard(io::Loop& loop, http_client::HttpClient& engine, Attached attached,
                       Check check, Options options)
    : loop_(loop),
      engine_(engine),
      attached_(std::move(attached)),
      check_(std::move(check)),
      options_(std::move(options)) {}

ShareGuard::~ShareGuard() { engine_.unfollow(watch_); }

Status ShareGuard::load() {
  auto content = file::read(options_.state_file);
  if (!content) {
    if (content.error().code == ENOENT) return Ok{};
    return std::move(content).error();
  }
  auto parsed = Json::parse(*content);
  if (!parsed) return std::move(parsed).error().with(options_.state_file);
  for (const auto& [distro, ids] : (*parsed)["stopped_for"].members())
    for (const Json& id : ids.items())
      if (id.as_string() != nullptr) remembered_[distro].insert(*id.as_string());
  return Ok{};
}

Status ShareGuard::save() const {
  Json stopped = Json::object();
  for (const auto& [distro, ids] : remembered_) {
    Json list = Json::array();
    for (const auto& id : ids) list.push(id);
    stopped.set(distro, std::move(list));
  }
  const auto slash = options_.state_file.rfind('/');
  if (auto made = file::make_directories(options_.state_file.substr(0, slash)); !made) return made;
  return file::write_atomic(options_.state_file,
                            Json::object({{"stopped_for", std::move(stopped)}}).dump(2) + "\n",
                            0600);
}

// The containers that run now, each with the distros it binds from.
void ShareGuard::list_running(Listed done) {
  engine_.call(
      "GET", "/containers/json", kListMs,
      lifetime_.guard([this, done = std::move(done)](Result<Reply> reply) {
        std::vector<std::pair<std::string, std::set<std::string>>> out;
        auto list = reply && reply->status == 200
                        ? Json::parse(reply->body)
                        : Result<Json>(reply ? make_error("status " + std::to_string(reply->status))
                                             : reply.error());
        if (!list) log::warning("containers.not_listed", {{"error", list.error().message}});
        for (const Json& item : list ? list->items() : std::span<const Json>{}) {
          std::set<std::string> distros;
          for (const Json& mount : item["Mounts"].items()) {
            std::string source = mount["Source"].string_or("");
            if (mount["Type"].string_or("") == "volume")
              source = volume_device(options_.docker_root, mount["Name"].string_or(""));
            if (const auto share = paths::split_share_place(source)) distros.emplace(share->distro);
          }
          if (!distros.empty()) out.emplace_back(item["Id"].string_or(""), std::move(distros));
        }
        done(std::move(out));
      }));
}

void ShareGuard::engine_ready(bool ready) {
  if (std::exchange(ready_, ready) == ready) return;
  if (!ready) return engine_.unfollow(std::exchange(watch_, 0));
  watch_starts();
  // While nobody could stop them: containers whose share went away.
  list_running([this](const auto& running) {
    std::map<std::string, std::set<std::string>> orphans;
    for (const auto& [id, distros] : running)
      for (const auto& distro : distros)
        if (!attached_(distro)) {
          orphans[distro].insert(id);
          break;
        }
    for (const auto& [distro, ids] : orphans) stop_all(ids, distro, [] {});
  });
  start_waiting();
}

// A start that was let through while the share was there may end when it isn't: after the list of
// what to stop was made. And one that was let through while it wasn't may fail when it is there
// again: after the look at what to start. dockerd tells of the first by "start", of the second by
// taking the container off its network, when its error is on the disk already (20.10).
void ShareGuard::watch_starts() {
  watch_ =
      engine_.follow(kEvents, lifetime_.guard([this](std::string_view line) { on_event(line); }),
                     lifetime_.guard([this](const Error& why) {
                       watch_ = 0;
                       if (ready_) log::warning("guard.events_ended", {{"error", why.message}});
                     }));
}

void ShareGuard::on_event(std::string_view event) {
  const auto parsed = Json::parse(event);
  if (!parsed) return;
  const bool ended = (*parsed)["Type"].string_or("") == "network";
  const Json& id = ended ? (*parsed)["Actor"]["Attributes"]["container"] : (*parsed)["id"];
  const auto record = read_record(options_.docker_root, id.string_or(""));
  if (!record) return;
  if (ended) {
    // Once for each share that comes: on a disk that is read-only itself it fails like this, too.
    if (gave_up(*record) && complete(*record) && retried_.insert(record->id).second)
      start(record->id, "its files were missing");
    return;
  }
  for (const auto& distro : distros_of(*record))
    if (!attached_(distro)) return stop_all({record->id}, distro, [] {});
}

void ShareGuard::share_attached(const std::string& distro) {
  log::debug("guard.attached", {{"distro", distro}});
  if (ready_) start_waiting();
}

void ShareGuard::share_detaching(const std::string& distro, std::function<void()> done) {
  if (!ready_) {
    loop_.defer(std::move(done));
    return;
  }
  list_running([this, distro, done = std::move(done)](const auto& running) mutable {
    std::set<std::string> ids;
    for (const auto& [id, distros] : running)
      if (distros.contains(distro)) ids.insert(id);
    stop_all(ids, distro, std::move(done));
  });
}

void ShareGuard::stop_all(const std::set<std::string>& ids, const std::string& distro,
                          std::function<void()> done) {
  if (ids.empty()) return done();
  remembered_[distro].insert(ids.begin(), ids.end());
  if (auto saved = save(); !saved)
    log::error("guard.not_saved", {{"error", saved.error().message}});
  const auto left = std::make_shared<std::size_t>(ids.size());
  const auto all_done = std::make_shared<std::function<void()>>(std::move(done));
  for (const auto& id : ids) {
    log::info("guard.stop", {{"container", id.substr(0, 12)}, {"distro", distro}});
    engine_.call("POST", "/containers/" + id + std::string(kStopQuery), kStopMs,
                 [id, left, all_done](const Result<Reply>& reply) {
                   const bool stopped = reply && (reply->status == 204 || reply->status == 304 ||
                                                  reply->status == 404);
                   if (!stopped)
                     log::warning("guard.not_stopped",
                                  {{"container", id.substr(0, 12)},
                                   {"error", reply ? reply->body : reply.error().message}});
                   if (--*left == 0) (*all_done)();
                 });
  }
}

// All that waits for files which are there now.
void ShareGuard::start_waiting() {
  retried_.clear();
  std::set<std::string> known;
  for (const auto& [distro, ids] : remembered_) known.insert(ids.begin(), ids.end());
  for (const auto& id : known) {
    const auto record = read_record(options_.docker_root, id);
    if (!record) {
      if (record.error().code == ENOENT) forget(id);  // removed since
    } else if (complete(*record)) {
      start(id, "stopped with its distro");
    }
  }
  for (const auto& record : read_records(options_.docker_root))
    if (!known.contains(record.id) && gave_up(record) && complete(record))
      start(record.id, "its files were missing");
}

// Whether all shares are there that it binds from.
bool ShareGuard::complete(const ContainerRecord& record) const {
  const auto distros = distros_of(record);
  return std::all_of(distros.begin(), distros.end(),
                     [&](const std::string& distro) { return attached_(distro); });
}

// Whether dockerd itself gave up on it: its State.Error names our placeholder.
bool ShareGuard::gave_up(const ContainerRecord& record) const {
  if (record.running || record.restart_policy == "no") return false;
  if (record.stopped_by_user && record.restart_policy != "always") return false;
  return paths::mentions_share(record.error);
}

void ShareGuard::start(const std::string& id, const std::string& why) {
  if (!starting_.insert(id).second) return;
  check_(id, lifetime_.guard([this, id, why](const std::string& problem) {
    if (problem.empty()) return send_start(id, why);
    starting_.erase(id);
    log::warning("guard.not_started", {{"container", id.substr(0, 12)}, {"error", problem}});
  }));
}

void ShareGuard::send_start(const std::string& id, const std::string& why) {
  log::info("guard.start", {{"container", id.substr(0, 12)}, {"reason", why}});
  engine_.call(
      "POST", "/containers/" + id + "/start", kStartMs,
      lifetime_.guard([this, id](Result<Reply> reply) {
        starting_.erase(id);
        if (reply && (reply->status == 204 || reply->status == 304 || reply->status == 404))
          return forget(id);
        // It stays remembered: the next share, or the next start of the engine, tries again.
        log::warning("guard.not_started", {{"container", id.substr(0, 12)},
                                           {"error", reply ? reply->body : reply.error().message}});
      }));
}

void ShareGuard::forget(const std::string& id) {
  bool changed = false;
  for (auto at = remembered_.begin(); at != remembered_.end();) {
    changed = at->second.erase(id) > 0 || changed;
    at = at->second.empty() ? remembered_.erase(at) : std::next(at);
  }
  if (!changed) return;
  if (auto saved = save(); !saved)
    log::error("guard.not_saved", {{"error", saved.error().message}});
}

}  // namespace causeway::containers
