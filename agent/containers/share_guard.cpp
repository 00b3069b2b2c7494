#include "containers/share_guard.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "json/json.h"
#include "paths/engine_paths.h"

namespace causeway::containers {
namespace {

using http_client::Reply;
using json::Json;

constexpr std::uint64_t kListMs = 5'000;
// An engine that works answers sooner. Its own records are a little older than its word.
constexpr std::uint64_t kRecordsMs = 1'500;
// Between two tries at what failed: grows from the first to the last.
constexpr std::uint64_t kFirstPauseMs = 1'000;
constexpr std::uint64_t kLongestPauseMs = 10'000;
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

std::uint64_t longer(std::uint64_t pause_ms) {
  return pause_ms == 0 ? kFirstPauseMs : std::min(2 * pause_ms, kLongestPauseMs);
}

}  // namespace

ShareGuard::ShareGuard(io::Loop& loop, http_client::HttpClient& engine, Attached attached,
                       Check check, Options options, std::function<void()> changed)
    : loop_(loop),
      engine_(engine),
      attached_(std::move(attached)),
      check_(std::move(check)),
      options_(std::move(options)),
      changed_(std::move(changed)),
      again_(loop),
      watch_again_(loop),
      records_(loop) {}

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

void ShareGuard::list_running(std::function<void(Result<Running>)> done) {
  const auto read = [this](const Result<Reply>& reply) -> Result<Running> {
    if (!reply) return reply.error();
    if (reply->status != 200) return make_error("status " + std::to_string(reply->status));
    const auto list = Json::parse(reply->body);
    if (!list) return list.error();
    if (!list->is_array()) return make_error("its answer is no list");
    Running out;
    for (const Json& item : list->items()) {
      std::set<std::string> distros;
      for (const Json& mount : item["Mounts"].items()) {
        std::string source = mount["Source"].string_or("");
        if (mount["Type"].string_or("") == "volume")
          source = volume_device(options_.docker_root, mount["Name"].string_or(""));
        if (const auto share = paths::split_share_path(source)) distros.emplace(share->distro);
      }
      if (!distros.empty()) out.emplace_back(item["Id"].string_or(""), std::move(distros));
    }
    return out;
  };
  engine_.call("GET", "/containers/json", kListMs,
               lifetime_.guard([read, done = std::move(done)](const Result<Reply>& reply) {
                 done(read(reply));
               }));
}

void ShareGuard::engine_ready(bool ready) {
  if (std::exchange(ready_, ready) == ready) return;
  if (ready) {
    watch_starts();
    look();
    return start_waiting();
  }
  engine_.unfollow(std::exchange(watch_, 0));
  again_.stop();
  watch_again_.stop();
  unlisted_.clear();
  unwatched_.clear();
  unstopped_.clear();
  // Nobody can stop them now: those that still run are found when the engine is back.
  remember_by_records(detaching_);
  for (auto& [distro, done] : std::exchange(detaching_, {})) loop_.defer(std::move(done));
}

// Which containers run whose share has gone, or goes? Asked until the engine has said it: else they
// would neither be stopped nor remembered.
void ShareGuard::look() {
  if (!ready_) return;
  if (looking_) {
    look_again_ = true;
    return;
  }
  again_.stop();
  looking_ = true;
  look_again_ = false;
  const auto detaching = std::make_shared<std::vector<Detaching>>(std::exchange(detaching_, {}));
  if (!detaching->empty())
    records_.start(kRecordsMs, [this, detaching] { remember_by_records(*detaching); });
  list_running([this, detaching](const Result<Running>& running) {
    looking_ = false;
    records_.stop();
    if (running)
      listed(*running, *detaching);
    else
      not_listed(running.error(), std::move(*detaching));
    if (look_again_) look();
  });
}

void ShareGuard::look_later() {
  if (!ready_ || again_.armed()) return;
  pause_ms_ = longer(pause_ms_);
  again_.start(pause_ms_, [this] { look(); });
}

void ShareGuard::listed(const Running& running, const std::vector<Detaching>& detaching) {
  if (!std::exchange(unlisted_, {}).empty()) changed_();
  std::set<std::string> taken;
  for (const auto& [distro, done] : detaching) {
    std::set<std::string> ids;
    for (const auto& [id, distros] : running)
      if (distros.contains(distro)) ids.insert(id);
    taken.insert(ids.begin(), ids.end());
    stop_all(ids, distro, done);
  }
  // While nobody could stop them: containers whose share went away.
  std::map<std::string, std::set<std::string>> orphans;
  for (const auto& [id, distros] : running)
    for (const auto& distro : distros)
      if (!attached_(distro) && taken.insert(id).second) orphans[distro].insert(id);
  for (const auto& [distro, ids] : orphans) stop_all(ids, distro, [] {});
  if (std::erase_if(unstopped_, [&](const auto& item) { return !taken.contains(item.first); }) > 0)
    changed_();
  if (unstopped_.empty()) pause_ms_ = 0;
}

void ShareGuard::not_listed(const Error& why, std::vector<Detaching> detaching) {
  remember_by_records(detaching);
  if (!ready_) {
    for (auto& each : detaching) loop_.defer(std::move(each.done));
    return;
  }
  detaching_.insert(detaching_.end(), std::make_move_iterator(detaching.begin()),
                    std::make_move_iterator(detaching.end()));
  look_later();
  if (std::exchange(unlisted_, why.message) == why.message) return;
  log::warning("containers.not_listed", {{"error", why.message}});
  changed_();
}

// dockerd writes down what runs, for a dockerd that finds it running.
void ShareGuard::remember_by_records(const std::vector<Detaching>& detaching) {
  if (detaching.empty()) return;
  std::map<std::string, std::set<std::string>> found;
  for (const auto& record : read_records(options_.docker_root)) {
    if (!record.running) continue;
    const auto distros = distros_of(record);
    for (const auto& each : detaching)
      if (distros.contains(each.distro)) found[each.distro].insert(record.id);
  }
  for (const auto& [distro, ids] : found) remember(distro, ids);
}

void ShareGuard::remember(const std::string& distro, const std::set<std::string>& ids) {
  auto& known = remembered_[distro];
  const auto before = known.size();
  known.insert(ids.begin(), ids.end());
  if (known.size() == before) return;
  if (auto saved = save(); !saved)
    log::error("guard.not_saved", {{"error", saved.error().message}});
}

std::vector<std::string> ShareGuard::problems() const {
  std::vector<std::string> out;
  if (!unlisted_.empty())
    out.push_back("dockerd does not say which containers run (" + unlisted_ +
                  "): those of a distro that stops keep its disk busy until it does");
  for (const auto& [id, why] : unstopped_)
    out.push_back("the container " + id.substr(0, 12) +
                  " lost its files and can't be stopped; it is tried again: " + why);
  if (!unwatched_.empty())
    out.push_back("dockerd's events can't be had (" + unwatched_ + "); they are asked for again");
  return out;
}

// A start that was let through while the share was there may end when it isn't: after the list of
// what to stop was made. And one that was let through while it wasn't may fail when it is there
// again: after the look at what to start. dockerd tells of the first by "start", of the second by
// taking the container off its network, when its error is on the disk already (20.10).
void ShareGuard::watch_starts() {
  watch_ = engine_.follow(
      kEvents, lifetime_.guard([this](std::string_view line) { on_event(line); }),
      lifetime_.guard([this](const Error& why) { watch_ended(why); }), lifetime_.guard([this] {
        // What happened while nobody watched.
        if (std::exchange(watch_pause_ms_, 0) == 0) return;
        if (!std::exchange(unwatched_, {}).empty()) changed_();
        look();
        start_waiting();
      }));
}

void ShareGuard::watch_ended(const Error& why) {
  watch_ = 0;
  if (!ready_) return;
  watch_pause_ms_ = longer(watch_pause_ms_);
  watch_again_.start(watch_pause_ms_, [this] { watch_starts(); });
  if (std::exchange(unwatched_, why.message) == why.message) return;
  log::warning("guard.events_ended", {{"error", why.message}});
  changed_();
}

void ShareGuard::on_event(std::string_view event) {
  if (event.empty()) {  // one that was too long: whatever it was
    look();
    return start_waiting();
  }
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
  detaching_.push_back({distro, std::move(done)});
  look();
}

void ShareGuard::stop_all(const std::set<std::string>& ids, const std::string& distro,
                          std::function<void()> done) {
  if (ids.empty()) return done();
  remember(distro, ids);
  const auto left = std::make_shared<std::size_t>(ids.size());
  const auto all_done = std::make_shared<std::function<void()>>(std::move(done));
  for (const auto& id : ids) {
    log::info("guard.stop", {{"container", id.substr(0, 12)}, {"distro", distro}});
    engine_.call("POST", "/containers/" + id + std::string(kStopQuery), kStopMs,
                 lifetime_.guard([this, id, left, all_done](const Result<Reply>& reply) {
                   stop_answered(id, reply);
                   if (--*left == 0) (*all_done)();
                 }));
  }
}

void ShareGuard::stop_answered(const std::string& id, const Result<Reply>& reply) {
  if (reply && (reply->status == 204 || reply->status == 304 || reply->status == 404)) {
    if (unstopped_.erase(id) > 0) changed_();
    return;
  }
  if (!ready_) return;
  const std::string why = reply ? reply->body : reply.error().message;
  look_later();
  if (std::exchange(unstopped_[id], why) == why) return;
  log::warning("guard.not_stopped", {{"container", id.substr(0, 12)}, {"error", why}});
  changed_();
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
