#include "shares/shares.h"

#include <fcntl.h>

#include <algorithm>
#include <climits>
#include <map>
#include <set>
#include <utility>

#include "base/lifetime.h"
#include "base/log.h"
#include "handover/resolve.h"
#include "io/timer.h"
#include "mounts/mount_calls.h"
#include "mounts/mount_watch.h"
#include "paths/engine_places.h"
#include "paths/mount_table.h"
#include "paths/unix_path.h"
#include "shares/api_sockets.h"
#include "shares/attached_shares.h"
#include "shares/drives.h"
#include "shares/helper_listener.h"
#include "shares/helper_sessions.h"
#include "shares/known_distros.h"
#include "shares/plain_paths.h"

namespace causeway::shares {
namespace {

// A look at some links in the distro's page cache; one that hangs on a dead network mount must not
// hold a client for longer.
constexpr std::uint64_t kResolveMs = 5000;

using paths::Identity;
using Answers = std::vector<Result<std::string>>;

Result<std::string> from(const handover::Resolution& resolution) {
  if (!resolution.error.empty()) return make_error(resolution.error);
  return resolution.path;
}

}  // namespace

std::string_view name_of(DistroState state) {
  switch (state) {
    case DistroState::attached:
      return "attached";
    case DistroState::waiting:
      return "waiting";
    case DistroState::refused:
      return "refused";
    case DistroState::disabled:
      return "disabled";
    case DistroState::stopped:
      return "stopped";
  }
  return "stopped";
}

struct Shares::Parts {
  struct Waiter {
    std::string distro;
    std::unique_ptr<io::Timer> timer;
    std::function<void(bool)> done;
  };

  Parts(io::Loop& event_loop, fd_store::StoreClient& init_store, Options wanted_options,
        Events told);

  void start();
  void find_mounts();
  void open_api(const Identity& identity);
  void drop_orphans();
  void refresh();
  void tell(std::function<void()> what);
  void request(const std::string& name);
  void attached_now(const std::string& name);
  void end_waiters(const std::string& name, bool there);
  void end_waiter(std::uint64_t id, bool there);
  std::vector<std::string> own_places() const;
  UniqueFd open_root(const std::string& name) const;
  Answers resolve_here(const std::string& name, const std::vector<std::string>& paths) const;
  void ask_helper(const std::string& name, std::vector<std::string> paths, Resolved done);
  DistroStatus describe(const std::string& name) const;

  io::Loop& loop;
  fd_store::StoreClient& store;
  const Options options;
  const Events events;
  bool change_told = false;
  paths::World world;
  int wsl_mount = 0;  // its id in mountinfo
  std::vector<std::string> problems;
  std::set<std::string, std::less<>> wanted;
  std::map<std::string, std::string, std::less<>> start_refusals;
  std::vector<std::function<void(const std::string&)>> subscribers;
  std::map<std::uint64_t, Waiter> waiters;
  std::uint64_t next_waiter = 1;
  Lifetime lifetime;

  KnownDistros known;
  ApiSockets api;
  AttachedShares attached;
  HelperSessions table;
  std::optional<Drives> drives;
  std::unique_ptr<HelperListener> server;
  std::unique_ptr<mounts::MountWatch> watch;  // goes first
};

Shares::Parts::Parts(io::Loop& event_loop, fd_store::StoreClient& init_store,
                     Options wanted_options, Events told)
    : loop(event_loop),
      store(init_store),
      options(std::move(wanted_options)),
      events(std::move(told)),
      known(options.data + "/causeway/distros.json"),
      api(store, options.run),
      attached(loop, store,
               {options.run + "/shares.json", std::string(paths::kShares), options.detach_ms},
               {.detaching =
                    [this](const std::string& name, std::function<void()> done) {
                      if (events.detaching)
                        events.detaching(name, std::move(done));
                      else
                        done();
                    },
                .detached = [this](const std::string& name) { table.detached(name); },
                .listener =
                    [this](const std::string& name, std::string key, DistroSocket socket) {
                      if (events.listener)
                        events.listener({std::move(key),
                                         socket.path,
                                         {Identity::Kind::distro, name},
                                         std::move(socket.fd)});
                    },
                .listener_gone =
                    [this](const std::string& key) {
                      if (events.listener_gone) events.listener_gone(key);
                    },
                .changed = [this] { refresh(); }}),
      table(loop, attached, known, {options.run + "/staging", options.tools},
            {.attached = [this](const std::string& name) { attached_now(name); },
             .integrated =
                 [this](const std::string& name) {
                   open_api({Identity::Kind::distro, name});
                 },
             .changed = [this] { refresh(); }}) {}

// Calls out of the callers' calls, and never after our end.
void Shares::Parts::tell(std::function<void()> what) {
  loop.defer(lifetime.guard([what = std::move(what)] { what(); }));
}

void Shares::Parts::start() {
  world.run = options.run;
  if (auto done = known.load(); !done) problems.push_back(done.error().message);
  // Before anything could mount them.
  open_api({Identity::Kind::windows, "windows"});
  auto names = api.left_in_run();
  for (const auto& [name, enabled] : known.all()) names.insert(name);
  for (const auto& name : names) open_api({Identity::Kind::distro, name});
  auto done = attached.start();
  if (done) done = table.start();
  if (!done) problems.push_back("no shares: " + done.error().message);
  drop_orphans();
  auto host = Drives::at(std::string(paths::kDrives));
  if (host)
    drives = std::move(*host);
  else
    problems.push_back("no drives of Windows: " + host.error().message);
  find_mounts();
  auto watching =
      mounts::MountWatch::start(loop, mounts::MountWatch::kCollectMs, [this] { find_mounts(); });
  if (watching)
    watch = std::move(*watching);
  else
    problems.push_back("mounts are not watched: " + watching.error().message);
  for (const auto& problem : problems) log::error("shares.problem", {{"error", problem}});
  refresh();
}

// A distro that nobody remembers can't come back to its descriptors.
void Shares::Parts::drop_orphans() {
  std::vector<std::string> orphans;
  for (const auto& [slot, fd] : store.inherited())
    if (slot.starts_with("d.")) orphans.push_back(slot);
  for (const auto& slot : orphans) {
    store.take(slot);
    if (auto done = store.drop(slot); !done)
      log::warning("shares.not_dropped", {{"slot", slot}, {"error", done.error().message}});
  }
}

void Shares::Parts::open_api(const Identity& identity) {
  auto fd = api.open(identity);
  const std::string path = api.path_of(identity);
  if (!fd) {
    problems.push_back("containers can't reach the API of " + identity.name + ": " +
                       fd.error().message);
    return;
  }
  if (*fd && events.listener) events.listener({path, path, identity, std::move(*fd)});
}

std::vector<std::string> Shares::Parts::own_places() const {
  return {std::string(paths::kShares), std::string(paths::kDrives), options.run};
}

// After a change in our mount namespace: WSL's shared tmpfs, Windows' drives.
void Shares::Parts::find_mounts() {
  auto mounts = mounts::own_mounts();
  if (!mounts) {
    log::error("shares.mounts", {{"error", mounts.error().message}});
    return;
  }
  std::string wsl = options.wsl;
  if (wsl.empty()) {
    auto others = *mounts;
    const auto ours = own_places();
    std::erase_if(others, [&](const auto& entry) {
      return std::any_of(ours.begin(), ours.end(), [&](const auto& place) {
        return paths::is_at_or_below(entry.mount_point, place);
      });
    });
    wsl = paths::find_wsl(others);
  }
  // Mounted over, it is another place, and what we watch is hidden.
  const auto* mount = paths::mounted_at(*mounts, wsl);
  const int mount_id = mount == nullptr ? 0 : mount->id;
  if (!wsl.empty() && (!server || server->places().wsl != wsl || wsl_mount != mount_id)) {
    wsl_mount = mount_id;
    world.wsl = wsl;
    table.set_engine_wsl(wsl);
    server = std::make_unique<HelperListener>(
        loop, HelperListener::Places{wsl, options.program},
        [this](UniqueFd connected) { table.accept(std::move(connected)); }, [this] { refresh(); });
    server->start();
  }
  if (drives && drives->update(*mounts, own_places())) refresh();
}

void Shares::Parts::refresh() {
  if (drives) world.drives = drives->letters();
  std::set<std::string> names;
  for (const auto& [name, enabled] : known.all()) names.insert(name);
  std::erase_if(world.distros, [&](const auto& item) { return !names.contains(item.first); });
  for (const auto& name : names) {
    auto& distro = world.distros[name];
    distro.attached = attached.usable(name);
    // The last word counts: containers outlive their distro.
    if (const auto* record = attached.record(name))
      distro.mounts = record->table;
    else if (const auto* said = table.table(name))
      distro.mounts = *said;
  }
  if (std::exchange(change_told, true)) return;
  tell([this] {
    change_told = false;
    if (events.changed) events.changed();
  });
}

void Shares::Parts::attached_now(const std::string& name) {
  wanted.erase(name);
  start_refusals.erase(name);
  refresh();
  end_waiters(name, true);
  tell([this, name] {
    if (events.attached && attached.usable(name)) events.attached(name);
  });
}

void Shares::Parts::end_waiters(const std::string& name, bool there) {
  std::vector<std::uint64_t> ended;
  for (const auto& [id, waiter] : waiters)
    if (waiter.distro == name) ended.push_back(id);
  for (const auto id : ended) end_waiter(id, there);
}

void Shares::Parts::end_waiter(std::uint64_t id, bool there) {
  auto node = waiters.extract(id);
  if (node.empty()) return;
  // Deferred with its timer, which may be what calls.
  auto waiter = std::make_shared<Waiter>(std::move(node.mapped()));
  tell([waiter, there] { waiter->done(there); });
}

void Shares::Parts::request(const std::string& name) {
  if (attached.usable(name) || !known.enabled(name)) return;
  wanted.insert(name);
  start_refusals.erase(name);
  log::info("share.wanted", {{"distro", name}});
  refresh();
  tell([this, name] {
    // One that subscribes meanwhile asks for wanted() itself.
    const auto now = subscribers;
    for (const auto& subscriber : now) subscriber(name);
  });
}

// Of a share; empty when it isn't there. Not to be kept: it keeps the distro's disk busy.
UniqueFd Shares::Parts::open_root(const std::string& name) const {
  if (!attached.usable(name)) return {};
  return UniqueFd(::open(attached.path_of(name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Answers Shares::Parts::resolve_here(const std::string& name,
                                    const std::vector<std::string>& paths) const {
  Answers out;
  const UniqueFd root = open_root(name);
  for (const auto& path : paths) {
    if (root)
      out.push_back(handover::resolve_path(root.get(), path));
    else
      out.push_back(make_error("the distro " + name + " isn't running"));
  }
  return out;
}

DistroStatus Shares::Parts::describe(const std::string& name) const {
  DistroStatus out;
  out.name = name;
  out.enabled = !known.has(name) || known.enabled(name);
  out.helper = table.helper(name) != nullptr;
  if (const auto* record = attached.record(name)) {
    out.mounts = record->mounts.size();
    out.socket = attached.usable(name) ? record->socket : "";
  }
  if (const auto* report = table.report(name)) out.report = *report;
  const bool leaving = attached.present(name) && !attached.usable(name);
  const auto refusal = table.refusals().find(name);
  if (refusal != table.refusals().end()) out.reason = refusal->second;
  if (!out.enabled) {
    out.state = DistroState::disabled;
    out.reason = leaving || out.helper ? "the integration is being removed" : "";
  } else if (attached.usable(name)) {
    out.state = DistroState::attached;
  } else if (table.arriving(name)) {
    out.state = DistroState::waiting;
    out.reason = leaving ? "it was started again while its containers are being stopped"
                         : "its files are on the way";
  } else if (leaving) {
    out.state = DistroState::stopped;
    out.reason = "it has stopped; the containers that use its files are being stopped";
  } else if (!out.reason.empty()) {
    out.state = DistroState::refused;
  } else if (wanted.contains(name)) {
    out.state = DistroState::waiting;
    out.reason = "asked for; it has not been started yet";
  } else {
    out.state = DistroState::stopped;
    if (const auto why = start_refusals.find(name); why != start_refusals.end())
      out.reason = "Windows did not start it: " + why->second;
  }
  return out;
}

Shares::Shares(io::Loop& loop, fd_store::StoreClient& store, Options options, Events events)
    : parts_(std::make_unique<Parts>(loop, store, std::move(options), std::move(events))) {}

Shares::~Shares() = default;

void Shares::start() { parts_->start(); }

const paths::World& Shares::world() const { return parts_->world; }

std::vector<DistroStatus> Shares::distros() const {
  std::set<std::string> names;
  for (const auto& [name, enabled] : parts_->known.all()) names.insert(name);
  for (const auto& [name, reason] : parts_->table.refusals()) names.insert(name);
  std::vector<DistroStatus> out;
  for (const auto& name : names) out.push_back(parts_->describe(name));
  return out;
}

std::vector<Note> Shares::notes() const {
  std::vector<Note> out;
  const auto add = [&](const std::vector<std::string>& problems) {
    for (const auto& problem : problems) out.push_back({true, problem});
  };
  add(parts_->problems);
  add(parts_->attached.problems());
  if (!parts_->server)
    out.push_back({false, "WSL's shared folder (/mnt/wsl) is not there: no distro can be shared"});
  else if (!parts_->server->problem().empty())
    out.push_back({true, "distros can't be integrated: " + parts_->server->problem()});
  add(parts_->table.complaints());
  return out;
}

bool Shares::known(std::string_view distro) const { return parts_->known.has(distro); }
bool Shares::attached(std::string_view distro) const { return parts_->attached.usable(distro); }
std::uint64_t Shares::generation(std::string_view distro) const {
  return parts_->attached.usable(distro) ? parts_->attached.generation(distro) : 0;
}

void Shares::request(std::string_view distro) { parts_->request(std::string(distro)); }

std::vector<std::string> Shares::wanted() const {
  return {parts_->wanted.begin(), parts_->wanted.end()};
}

void Shares::not_started(const std::string& distro, const std::string& reason) {
  auto& parts = *parts_;
  if (parts.wanted.erase(distro) == 0) return;
  parts.start_refusals[distro] = reason;
  parts.refresh();
  parts.end_waiters(distro, false);
}

std::string Shares::why_not_started(const std::string& distro) const {
  const auto found = parts_->start_refusals.find(distro);
  return found == parts_->start_refusals.end() ? "" : found->second;
}

void Shares::on_wanted(std::function<void(const std::string&)> subscriber) {
  parts_->subscribers.push_back(std::move(subscriber));
}

void Shares::when_attached(std::string_view distro, std::uint64_t timeout_ms,
                           std::function<void(bool)> done) {
  auto& parts = *parts_;
  const auto id = parts.next_waiter++;
  auto& waiter = parts.waiters[id];
  waiter.distro = distro;
  waiter.done = std::move(done);
  if (attached(distro)) return parts.end_waiter(id, true);
  waiter.timer = std::make_unique<io::Timer>(parts.loop);
  waiter.timer->start(timeout_ms, [&parts, id] { parts.end_waiter(id, false); });
}

void Shares::resolve(std::string_view distro, std::vector<std::string> paths, Resolved done) {
  auto& parts = *parts_;
  const std::string name(distro);
  std::vector<std::size_t> open;  // those that have to be asked for
  std::vector<std::string> asked;
  const UniqueFd root = parts.open_root(name);
  const auto* record = parts.attached.record(name);
  std::string device;
  if (record != nullptr)
    if (const auto disk = record->mounts.find("/"); disk != record->mounts.end())
      device = disk->second.device;
  const auto plain = find_plain(root.get(), device, paths);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (plain[i]) continue;
    open.push_back(i);
    asked.push_back(paths[i]);
  }
  Answers out(std::make_move_iterator(paths.begin()), std::make_move_iterator(paths.end()));
  if (open.empty())
    return parts.tell(
        [out = std::move(out), done = std::move(done)]() mutable { done(std::move(out)); });
  parts.ask_helper(name, std::move(asked),
                   [out = std::move(out), open = std::move(open),
                    done = std::move(done)](Answers answers) mutable {
                     for (std::size_t n = 0; n < open.size(); ++n)
                       out[open[n]] = n < answers.size() ? std::move(answers[n])
                                                         : make_error("the helper gave no answer");
                     done(std::move(out));
                   });
}

void Shares::Parts::ask_helper(const std::string& name, std::vector<std::string> paths,
                               Resolved done) {
  auto* helper = table.helper(name);
  const bool too_long =
      std::any_of(paths.begin(), paths.end(), [](const auto& p) { return p.size() >= PATH_MAX; });
  // One path that no kernel takes has an error of its own, and is no reason not to answer the rest.
  if (helper == nullptr || too_long || !attached.usable(name)) {
    return tell([this, name, paths = std::move(paths), done = std::move(done)] {
      done(resolve_here(name, paths));
    });
  }
  auto asked = paths;
  helper->resolve(
      std::move(asked), kResolveMs,
      lifetime.guard([this, name, paths = std::move(paths), done = std::move(done)](auto results) {
        if (!results) {
          log::warning("share.resolved_here", {{"distro", name}, {"why", results.error().message}});
          return tell([this, name, paths, done] { done(resolve_here(name, paths)); });
        }
        Answers out;
        for (const auto& result : *results) out.push_back(from(result));
        done(std::move(out));
      }));
}

Status Shares::enable(std::string_view distro) {
  const std::string name(distro);
  if (!parts_->known.has(name)) return make_error("no distro '" + name + "' is known");
  auto saved = parts_->known.set(name, true);
  log::info("share.enabled", {{"distro", name}});
  if (parts_->server) parts_->server->call_again();
  parts_->request(name);
  parts_->refresh();
  return saved;
}

Status Shares::disable(std::string_view distro) {
  const std::string name(distro);
  if (!parts_->known.has(name)) return make_error("no distro '" + name + "' is known");
  auto saved = parts_->known.set(name, false);
  log::info("share.disabled", {{"distro", name}});
  parts_->wanted.erase(name);
  parts_->table.disable(name);
  parts_->refresh();
  return saved;
}

}  // namespace causeway::shares
