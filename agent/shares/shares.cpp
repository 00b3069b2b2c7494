#include "shares/shares.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/lifetime.h"
#include "base/log.h"
#include "mounts/mount_calls.h"
#include "mounts/mount_watch.h"
#include "paths/engine_paths.h"
#include "paths/mount_table.h"
#include "paths/unix_path.h"
#include "shares/api_sockets.h"
#include "shares/attached_shares.h"
#include "shares/distro_names.h"
#include "shares/distro_requests.h"
#include "shares/distro_resolver.h"
#include "shares/drives.h"
#include "shares/helper_listener.h"
#include "shares/helper_sessions.h"
#include "shares/known_distros.h"
#include "shares/plain_paths.h"
#include "shares/walkers.h"

namespace causeway::shares {
namespace {

using paths::Identity;
}  // namespace

struct Shares::Impl {
  Impl(io::Loop& event_loop, fd_store::StoreClient& init_store, Options wanted_options,
       Handler told);

  void start();
  void find_mounts();
  void open_api(const Identity& identity);
  void close_api(const Identity& identity);
  void drop_orphans();
  void refresh();
  void tell(std::function<void()> what);
  void request(const std::string& name);
  void attached_now(const std::string& name);
  std::vector<std::string> own_directories() const;
  DistroStatus status(const std::string& name) const;

  io::Loop& loop;
  fd_store::StoreClient& store;
  const Options options;
  const Handler handler;
  bool change_told = false;
  paths::PathContext context;
  int wsl_mount = 0;  // its id in mountinfo
  std::vector<std::string> problems;
  Lifetime lifetime;

  Walkers walkers;
  KnownDistros known;
  ApiSockets api;
  DistroRequests requests;
  AttachedShares attached;
  HelperSessions helpers;
  DistroResolver resolver;
  std::optional<Drives> drives;
  std::unique_ptr<HelperListener> listener;
  std::unique_ptr<mounts::MountWatch> watch;  // goes first
};

Shares::Impl::Impl(io::Loop& event_loop, fd_store::StoreClient& init_store, Options wanted_options,
                   Handler told)
    : loop(event_loop),
      store(init_store),
      options(std::move(wanted_options)),
      handler(std::move(told)),
      walkers(loop, std::string(paths::kShares), options.start_walk, [this] { refresh(); }),
      known(options.data + "/causeway/distros.json"),
      api(store, options.run),
      requests(loop),
      attached(loop, store,
               {options.run + "/shares.json", std::string(paths::kShares), options.detach_ms,
                [this](UniqueFd tree) { walkers.drop(std::move(tree)); }},
               {.detaching =
                    [this](const std::string& name, std::function<void()> done) {
                      if (handler.detaching)
                        handler.detaching(name, std::move(done));
                      else
                        done();
                    },
                .detached =
                    [this](const std::string& name) {
                      walkers.stop(name);
                      helpers.detached(name);
                    },
                .listener =
                    [this](const std::string& name, std::string key, DistroSocket socket) {
                      if (handler.listener)
                        handler.listener({std::move(key),
                                          socket.path,
                                          {Identity::Kind::distro, name},
                                          std::move(socket.fd)});
                    },
                .listener_gone =
                    [this](const std::string& key) {
                      if (handler.listener_gone) handler.listener_gone(key);
                    },
                .changed = [this] { refresh(); }}),
      helpers(loop, attached, walkers, known, {options.run + "/staging", options.tools},
              {.attached = [this](const std::string& name) { attached_now(name); },
               .integrated =
                   [this](const std::string& name) {
                     open_api({Identity::Kind::distro, name});
                   },
               .changed = [this] { refresh(); }}),
      resolver(loop, attached, helpers, walkers) {}

// Calls out of the callers' calls, and never after our end.
void Shares::Impl::tell(std::function<void()> what) {
  loop.defer(lifetime.guard([what = std::move(what)] { what(); }));
}

void Shares::Impl::start() {
  context.run = options.run;
  context.docker_root = options.docker_root;
  context.own_below_dev = [this](std::string_view distro, std::string_view path) {
    const UniqueFd root = resolver.open_root(std::string(distro));
    return root && is_own_below_dev(root.get(), std::string(path));
  };
  if (auto done = known.load(); !done) problems.push_back(done.error().message);
  // Before anything could mount them.
  open_api({Identity::Kind::windows, "windows"});
  std::set<std::string, DistroNameLess> names;
  for (const auto& [name, enabled] : known.all()) names.insert(name);
  names.merge(api.left_in_run());
  for (const auto& name : names) open_api({Identity::Kind::distro, name});
  auto done = attached.start();
  if (done) done = helpers.start();
  if (!done) problems.push_back("no shares: " + done.error().message);
  drop_orphans();
  auto host = Drives::at(std::string(paths::kDrives),
                         [this](UniqueFd tree) { walkers.drop(std::move(tree)); });
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
void Shares::Impl::drop_orphans() {
  std::vector<std::string> orphans;
  for (const auto& [slot, fd] : store.inherited())
    if (slot.starts_with("d.")) orphans.push_back(slot);
  for (const auto& slot : orphans) {
    store.take(slot);
    if (auto done = store.drop(slot); !done)
      log::warning("shares.not_dropped", {{"slot", slot}, {"error", done.error().message}});
  }
}

void Shares::Impl::open_api(const Identity& identity) {
  auto fd = api.open(identity);
  const std::string path = api.path_of(identity);
  if (!fd) {
    problems.push_back("containers can't reach the API of " + identity.name + ": " +
                       fd.error().message);
    return;
  }
  if (*fd && handler.listener) handler.listener({path, path, identity, std::move(*fd)});
}

void Shares::Impl::close_api(const Identity& identity) {
  api.close(identity);
  if (handler.listener_gone) handler.listener_gone(api.path_of(identity));
}

std::vector<std::string> Shares::Impl::own_directories() const {
  return {std::string(paths::kShares), std::string(paths::kDrives), options.run};
}

// After a change in our mount namespace: WSL's shared tmpfs, Windows' drives.
void Shares::Impl::find_mounts() {
  auto mounts = mounts::own_mounts();
  if (!mounts) {
    log::error("shares.mounts", {{"error", mounts.error().message}});
    return;
  }
  walkers.mounts_changed(*mounts);
  std::string wsl = options.wsl;
  if (wsl.empty()) {
    auto others = *mounts;
    const auto ours = own_directories();
    std::erase_if(others, [&](const auto& entry) {
      return std::any_of(ours.begin(), ours.end(), [&](const auto& directory) {
        return paths::is_at_or_below(entry.mount_point, directory);
      });
    });
    wsl = paths::find_wsl(others);
  }
  // Mounted over, it is another file system, and what we watch is hidden.
  const auto* mount = paths::mounted_at(*mounts, wsl);
  const int mount_id = mount == nullptr ? 0 : mount->id;
  if (!wsl.empty() && (!listener || listener->paths().wsl != wsl || wsl_mount != mount_id)) {
    wsl_mount = mount_id;
    context.wsl = wsl;
    helpers.set_engine_wsl(wsl);
    listener = std::make_unique<HelperListener>(
        loop, HelperListener::Paths{wsl, options.program},
        [this](UniqueFd connected) { helpers.accept(std::move(connected)); },
        [this] { refresh(); });
    listener->start();
  } else if (listener) {
    listener->mounts_changed();
  }
  if (drives && drives->update(*mounts, own_directories())) refresh();
}

void Shares::Impl::refresh() {
  if (drives) context.drives = drives->letters();
  std::set<std::string> names;
  for (const auto& [name, enabled] : known.all()) names.insert(name);
  std::erase_if(context.distros, [&](const auto& item) { return !names.contains(item.first); });
  for (const auto& name : names) {
    auto& distro = context.distros[name];
    distro.attached = attached.usable(name);
    // The last word counts: containers outlive their distro.
    if (const auto* record = attached.record(name))
      distro.mounts = record->table;
    else if (const auto* said = helpers.table(name))
      distro.mounts = *said;
  }
  if (std::exchange(change_told, true)) return;
  tell([this] {
    change_told = false;
    if (handler.changed) handler.changed();
  });
}

void Shares::Impl::attached_now(const std::string& name) {
  requests.attached(name);
  refresh();
  tell([this, name] {
    if (handler.attached && attached.usable(name)) handler.attached(name);
  });
}

void Shares::Impl::request(const std::string& name) {
  if (attached.usable(name) || !known.enabled(name)) return;
  requests.request(name);
  refresh();
}

DistroStatus Shares::Impl::status(const std::string& name) const {
  DistroFacts facts;
  facts.enabled = !known.has(name) || known.enabled(name);
  if (attached.present(name))
    facts.share = attached.usable(name) ? ShareState::attached : ShareState::detaching;
  if (helpers.helper(name) != nullptr)
    facts.helper = helpers.arriving(name) ? HelperState::arriving : HelperState::connected;
  facts.refusal = helpers.refusal(name);
  facts.failure = helpers.failure(name);
  facts.wanted = requests.is_wanted(name);
  facts.not_started = requests.why_not_started(name);
  auto description = describe(facts);

  DistroStatus out;
  out.name = name;
  out.enabled = facts.enabled;
  out.state = description.state;
  out.reason = std::move(description.reason);
  out.helper = facts.helper != HelperState::none;
  if (const auto* record = attached.record(name)) {
    out.mounts = record->mounts.size();
    if (facts.share == ShareState::attached) out.socket = record->socket;
  }
  if (const auto* report = helpers.report(name)) out.report = *report;
  return out;
}

Shares::Shares(io::Loop& loop, fd_store::StoreClient& store, Options options, Handler handler)
    : impl_(std::make_unique<Impl>(loop, store, std::move(options), std::move(handler))) {}

Shares::~Shares() = default;

void Shares::start() { impl_->start(); }

const paths::PathContext& Shares::path_context() const { return impl_->context; }

std::vector<DistroStatus> Shares::distros() const {
  std::set<std::string, DistroNameLess> names;
  for (const auto& [name, enabled] : impl_->known.all()) names.insert(name);
  for (auto& name : impl_->helpers.names()) names.insert(std::move(name));
  std::vector<DistroStatus> out;
  out.reserve(names.size());
  for (const auto& name : names) out.push_back(impl_->status(name));
  return out;
}

std::vector<Note> Shares::notes() const {
  std::vector<Note> out;
  const auto add = [&](const std::vector<std::string>& problems) {
    for (const auto& problem : problems) out.push_back({true, problem});
  };
  add(impl_->problems);
  add(impl_->attached.problems());
  add(impl_->walkers.problems());
  if (!impl_->listener)
    out.push_back({false, "WSL's shared folder (/mnt/wsl) is not there: no distro can be shared"});
  else if (!impl_->listener->problem().empty())
    out.push_back({true, "distros can't be integrated: " + impl_->listener->problem()});
  if (impl_->listener && !impl_->listener->put_aside().empty())
    out.push_back({false, "somebody had put something of their own at " +
                              impl_->listener->paths().wsl +
                              "/docker-desktop; it was not used, and is " +
                              impl_->listener->put_aside() + " now"});
  add(impl_->helpers.complaints());
  return out;
}

bool Shares::known(std::string_view distro) const { return impl_->known.has(distro); }
bool Shares::attached(std::string_view distro) const { return impl_->attached.usable(distro); }
void Shares::request(std::string_view distro) { impl_->request(std::string(distro)); }

std::vector<std::string> Shares::wanted() const { return impl_->requests.wanted(); }

void Shares::not_started(const std::string& distro, const std::string& reason) {
  if (impl_->requests.not_started(distro, reason)) impl_->refresh();
}

std::string Shares::why_not_started(const std::string& distro) const {
  return impl_->requests.why_not_started(distro);
}

void Shares::on_wanted(std::function<void(const std::string&)> subscriber) {
  impl_->requests.subscribe(std::move(subscriber));
}

void Shares::when_attached(std::string_view distro, std::uint64_t timeout_ms,
                           std::function<void(bool)> done) {
  impl_->requests.wait(distro, attached(distro), timeout_ms, std::move(done));
}

void Shares::resolve(std::string_view distro, std::vector<std::string> paths, Resolved done) {
  impl_->resolver.resolve(std::string(distro), std::move(paths), std::move(done));
}

void Shares::open(std::string_view distro, const std::string& path, std::uint64_t timeout_ms,
                  Walker::Opened opened) {
  const std::string name(distro);
  if (attached(name)) return impl_->walkers.of(name).open(path, timeout_ms, std::move(opened));
  impl_->tell([error = Error{"the distro " + name + " isn't running", ESRCH},
               opened = std::move(opened)] { opened(Error(error)); });
}

Status Shares::enable(std::string_view distro) {
  const std::string name = impl_->known.spelling(distro);
  if (!impl_->known.has(name)) return make_error("no distro '" + name + "' is known");
  auto saved = impl_->known.set(name, true);
  log::info("share.enabled", {{"distro", name}});
  if (impl_->listener) impl_->listener->call_again();
  impl_->request(name);
  impl_->refresh();
  return saved;
}

Status Shares::disable(std::string_view distro) {
  const std::string name = impl_->known.spelling(distro);
  if (!impl_->known.has(name)) return make_error("no distro '" + name + "' is known");
  auto saved = impl_->known.set(name, false);
  log::info("share.disabled", {{"distro", name}});
  impl_->requests.withdraw(name);
  impl_->helpers.disable(name);
  impl_->refresh();
  return saved;
}

Status Shares::forget(std::string_view distro) {
  const std::string name = impl_->known.spelling(distro);
  if (!impl_->known.has(name) && impl_->helpers.refusal(name).empty() &&
      impl_->helpers.failure(name).empty())
    return Error{"no distro '" + name + "' is known", ENOENT};
  if (impl_->helpers.helper(name) != nullptr)
    return Error{name + " is integrated, and its helper is connected: `causeway distro disable " +
                     name + "` first",
                 EBUSY};
  auto saved = impl_->known.forget(name);
  log::info("share.forgotten", {{"distro", name}});
  impl_->requests.forget(name);
  impl_->helpers.forget(name);
  impl_->attached.stop(name);
  impl_->close_api({Identity::Kind::distro, name});
  impl_->refresh();
  return saved;
}

Status Shares::helper_failed(std::string_view distro, const std::string& reason) {
  if (!paths::valid_distro_name(distro))
    return Error{"no distro is called '" + std::string(distro) + "'", EINVAL};
  const std::string name = impl_->known.spelling(distro);
  log::warning("share.helper_failed", {{"distro", name}, {"reason", reason}});
  if (!impl_->helpers.failed(name, reason))
    return make_error("the helpers of too many unknown distros have failed");
  if (impl_->helpers.helper(name) == nullptr)
    (void)impl_->requests.not_started(name, "its helper could not be started: " + reason);
  impl_->refresh();
  return Ok{};
}

}  // namespace causeway::shares
