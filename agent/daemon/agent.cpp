#include "daemon/agent.h"

#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "daemon/clock.h"
#include "daemon/product_status.h"
#include "fd_store/sockets.h"
#include "io/endpoint.h"
#include "settings/settings.h"

namespace causeway::daemon {
namespace {

// The service that provides the Docker API, and its socket, below RUN (see its service file).
constexpr const char* kEngineService = "dockerd";
constexpr const char* kEngineSocket = "/dockerd.sock";
constexpr const char* kEngineRoot = "/docker";  // its --data-root, below DATA
// After the services are off, for the last answers to reach their clients.
constexpr std::uint64_t kDrainMs = 1000;

supervise::Supervisor::Options supervisor_options(const AgentOptions& options,
                                                  const settings::Settings& settings) {
  supervise::Supervisor::Options out;
  out.places = {options.run, options.data, options.etc};
  out.log_limits.max_bytes = static_cast<std::uint64_t>(settings.log_max_bytes);
  out.log_limits.files = static_cast<unsigned>(settings.log_files);
  return out;
}

shares::Options share_options(const AgentOptions& options) {
  shares::Options out;
  out.run = options.run;
  out.data = options.data;
  return out;
}

containers::ShareGuard::Options guard_options(const AgentOptions& options) {
  containers::ShareGuard::Options out;
  out.docker_root = options.data + kEngineRoot;
  out.state_file = options.data + "/causeway/stopped_containers.json";
  return out;
}

// Large request bodies wait here for their paths to be mapped.
proxy::Limits proxy_limits(const AgentOptions& options, const settings::Settings& settings) {
  proxy::Limits out;
  out.swarm_paths = !settings.live_restore;
  out.body_directory = options.data + "/causeway";
  return out;
}

// Wrong ones must not keep the engine down.
settings::Settings settings_or_defaults(const std::string& etc,
                                        std::vector<control_api::Note>& notes) {
  const std::string path = etc + "/settings.json";
  auto settings = settings::load_settings(path);
  if (settings) return *settings;
  log::error("agent.settings", {{"error", settings.error().message}});
  notes.push_back({true, settings.error().message + "; the default settings are used"});
  return {};
}

proxy::EngineGate::State gate_state(control_api::EngineState state) {
  switch (state) {
    case control_api::EngineState::ready:
      return proxy::EngineGate::State::ready;
    case control_api::EngineState::starting:
      return proxy::EngineGate::State::starting;
    case control_api::EngineState::absent:
    case control_api::EngineState::down:
      return proxy::EngineGate::State::down;
  }
  return proxy::EngineGate::State::down;
}

}  // namespace

Agent::Agent(io::Loop& loop, fd_store::StoreClient store, AgentOptions options)
    : loop_(loop),
      store_(std::move(store)),
      options_(std::move(options)),
      started_ms_(loop.now_ms()),
      engine_since_ms_(loop.now_ms()),
      settings_(settings_or_defaults(options_.etc, notes_)),
      supervisor_(loop, store_, supervisor_options(options_, settings_)),
      gate_(options_.run + kEngineSocket),
      engine_client_(loop, options_.run + kEngineSocket),
      shares_(loop, store_, share_options(options_), share_events()),
      paths_(loop, shares_, engine_client_, options_.data + kEngineRoot),
      guard_(
          loop, engine_client_,
          [this](std::string_view distro) { return shares_.attached(distro); },
          [this](const std::string& id, containers::ShareGuard::Checked checked) {
            paths_.check(id, std::move(checked));
          },
          guard_options(options_)),
      proxy_(loop, gate_, proxy_limits(options_, settings_), &paths_),
      link_(loop, shares_, proxy_, [this] { return control_.get(); }) {
  gate_.on_wake([this] {
    if (auto woken = supervisor_.wake_service(kEngineService); !woken)
      log::error("engine.not_woken", {{"error", woken.error().message}});
  });
}

Agent::~Agent() = default;

// Bound by init, once in its life; without init by us.
Result<UniqueFd> Agent::socket(std::string_view slot) {
  if (auto inherited = store_.take(slot)) return inherited;
  for (const auto& entry : fd_store::kSockets) {
    if (slot != entry.slot) continue;
    if (store_.has_init())
      log::warning("agent.socket_rebound", {{"slot", slot}, {"reason", "init gave none"}});
    gid_t group = 0;
    if (const auto groups = file::read("/etc/group"); entry.group != nullptr && groups)
      group = fd_store::find_group(*groups, entry.group).value_or(0);
    auto bound = fd_store::bind_socket(options_.run + "/" + entry.file, entry.mode, group);
    if (bound && store_.has_init())
      if (auto put = store_.put(slot, bound->get()); !put)
        log::warning("agent.socket_not_stored", {{"slot", slot}, {"error", put.error().message}});
    return bound;
  }
  return make_error("no socket named " + std::string(slot));
}

Status Agent::start() {
  // The sockets first: they are there before anything that could ask for them runs.
  if (auto made = file::make_directories(options_.run); !made) return made;
  auto control = socket("control");
  if (!control) return std::move(control).error().with("control socket");
  auto engine = socket("engine");
  if (!engine) return std::move(engine).error().with("engine socket");
  if (auto made = file::make_directories(options_.data + "/causeway", 0700); !made)
    log::error("agent.no_data", {{"error", made.error().message}});
  if (auto loaded = guard_.load(); !loaded) {
    log::error("guard.not_loaded", {{"error", loaded.error().message}});
    notes_.push_back({true, loaded.error().message});
  }
  paths_.on_hint = [this](const std::string& hint) {
    log::warning("paths.windows_files", {{"hint", hint}});
    notes_.push_back({false, hint});
    if (control_) control_->status_changed();
  };
  // Before dockerd: what containers mount is there when it starts them.
  shares_.start();
  wait_ = std::make_unique<SharesWait>(paths_.distros(), options_.run, options_.data + kEngineRoot,
                                       [this] { changed(); });
  supervisor_.on_change([this] { changed(); });
  if (auto started = supervisor_.start(); !started) {
    // Without services there is still somebody to ask why.
    log::error("agent.no_services", {{"error", started.error().message}});
    notes_.push_back({true, "no services: " + started.error().message});
  }
  relay_ = std::make_unique<LogRelay>(supervisor_,
                                      [this](std::string_view service, std::string_view line) {
                                        if (control_) control_->log_line(service, line);
                                      });
  changed();
  engine_listener_ = proxy_.listen(*std::move(engine), {});
  if (auto started = start_link(); !started) {
    // The engine works without Windows.
    log::error("agent.no_link", {{"error", started.error().message}});
    notes_.push_back({true, "no link to Windows: " + started.error().message});
  }
  control_ = std::make_unique<control::ControlServer>(loop_, *std::move(control),
                                                      static_cast<control::ControlBackend&>(*this));
  log::info("agent.started", {{"version", CAUSEWAY_VERSION},
                              {"run", options_.run},
                              {"start", store_.agent_start()},
                              {"init", store_.has_init()}});
  return Ok{};
}

Status Agent::start_link() {
  auto link = socket("link");
  if (!link) return std::move(link).error();
  return link_.start(options_.run, !store_.has_init(), *std::move(link), settings_);
}

shares::Shares::Events Agent::share_events() {
  shares::Shares::Events events;
  events.attached = [this](const std::string& distro) { guard_.share_attached(distro); };
  events.detaching = [this](const std::string& distro, std::function<void()> done) {
    guard_.share_detaching(distro, std::move(done));
  };
  events.listener = [this](shares::ApiListener listener) { serve(std::move(listener)); };
  events.listener_gone = [this](const std::string& key) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    proxy_.stop_listening(found->second.id);
    served_.erase(found);
  };
  events.changed = [this] {
    if (control_) control_->status_changed();
  };
  return events;
}

void Agent::serve(shares::ApiListener listener) {
  Served served;
  served.path = listener.path;
  switch (listener.identity.kind) {
    case paths::Identity::Kind::distro:
      served.purpose = "Docker API for " + listener.identity.name;
      break;
    case paths::Identity::Kind::windows:
      served.purpose = "Docker API for Windows";
      break;
    case paths::Identity::Kind::engine:
      served.purpose = "Docker API";
      break;
  }
  served.id = proxy_.listen(std::move(listener.fd), std::move(listener.identity));
  served_.insert_or_assign(std::move(listener.key), std::move(served));
}

void Agent::reload() {
  log::info("agent.reload");
  if (auto reloaded = supervisor_.reload(); !reloaded) {
    log::error("agent.reload_failed", {{"error", reloaded.error().message}});
    notes_.push_back(
        {true, "the service files could not be read again: " + reloaded.error().message});
  }
  changed();
}

void Agent::stop(std::function<void()> stopped) {
  if (std::exchange(stopping_, true)) return;
  log::info("agent.stopping");
  changed();
  // Clients are told why until the very end; those that talk to the engine end with it.
  supervisor_.shutdown([this, done = std::move(stopped)]() mutable {
    log::info("agent.stopped");
    proxy_.drain(kDrainMs, std::move(done));
  });
}

// Something about a service.
void Agent::changed() {
  auto view = engine_view(supervisor_.states(), kEngineService, stopping_);
  if (view.state != engine_.state) engine_since_ms_ = loop_.now_ms();
  engine_ = std::move(view);
  gate_.set(gate_state(engine_.state), engine_.state == control_api::EngineState::absent
                                           ? "no engine is configured"
                                           : engine_.reason);
  guard_.engine_ready(engine_.state == control_api::EngineState::ready);
  if (relay_) relay_->refresh();
  if (control_) control_->status_changed();
}

control_api::ProductStatus Agent::status() {
  control_api::ProductStatus out;
  out.engine = {engine_.state, engine_.reason, (loop_.now_ms() - engine_since_ms_) / 1000};
  out.agent = {CAUSEWAY_VERSION, ::getpid(), (loop_.now_ms() - started_ms_) / 1000,
               store_.agent_start() + 1, resident_bytes()};
  const auto services = supervisor_.snapshot();
  for (const auto& service : services) out.services.push_back(describe(service, unix_ms()));
  out.sockets = sockets();
  add_shares(out);
  out.link = link_.status();
  out.notes = notes_;
  for (const auto& note : shares_.notes()) out.notes.push_back({note.problem, note.text});
  if (wait_)
    for (const auto& distro : wait_->distros())
      out.notes.push_back({false, "dockerd waits for the distro " + distro +
                                      ", whose files containers need that it starts by itself"});
  for (auto& note : notes_of(services)) out.notes.push_back(std::move(note));
  return out;
}

std::vector<control_api::SocketStatus> Agent::sockets() const {
  std::vector<control_api::SocketStatus> out;
  const auto add = [&](const std::string& path, const std::string& purpose, std::uint64_t id) {
    const auto users = proxy_.users(id);
    out.push_back({path, purpose, users.sessions + users.streams, users.streams});
  };
  add(options_.run + "/engine.sock", "Docker API", engine_listener_);
  for (const auto& [key, served] : served_) add(served.path, served.purpose, served.id);
  if (const auto users = link_.users(); users.sessions + users.streams > 0)
    out.push_back(
        {"link", "Docker API for Windows", users.sessions + users.streams, users.streams});
  out.push_back({options_.run + "/control.sock", "causeway status, logs, …",
                 control_ ? control_->sessions() : 0, 0});
  return out;
}

bool Agent::has_service(std::string_view service) {
  return supervisor_.status(service).has_value();
}

std::vector<control_api::LogLine> Agent::logs(std::string_view service, std::size_t tail,
                                              bool fresh) {
  return relay_->last(service, tail, fresh);
}

Status Agent::perform(control_api::Action action, std::string_view service) {
  switch (action) {
    case control_api::Action::start:
      return supervisor_.start_service(service);
    case control_api::Action::stop:
      return supervisor_.stop_service(service);
    case control_api::Action::restart:
      return supervisor_.restart_service(service);
  }
  return make_error("no such action");
}

Status Agent::enable_distro(std::string_view distro, bool enabled) {
  if (!shares_.known(distro))
    return Error{"no distro " + std::string(distro) + " is known", ENOENT};
  return enabled ? shares_.enable(distro) : shares_.disable(distro);
}

Result<control_api::ClockStep> Agent::step_clock(std::int64_t unix_ms) {
  auto offset = daemon::step_clock(Clock::system(), unix_ms);
  if (!offset) return std::move(offset).error();
  if (offset->stepped) log::info("agent.clock_stepped", {{"offset_ms", offset->ms}});
  return control_api::ClockStep{offset->stepped, offset->ms};
}

void Agent::add_shares(control_api::ProductStatus& status) const {
  for (const auto& distro : shares_.distros()) {
    control_api::DistroStatus shown;
    shown.name = distro.name;
    shown.enabled = distro.enabled;
    shown.state = shares::name_of(distro.state);
    shown.reason = distro.reason;
    shown.mounts = distro.mounts;
    shown.socket = distro.socket;
    shown.helper = distro.helper;
    if (distro.report) {
      for (const auto& item : distro.report->items)
        shown.items.push_back(
            {item.what, item.path, std::string(handover::name_of(item.state)), item.reason});
      shown.notes = distro.report->notes;
    }
    status.distros.push_back(std::move(shown));
  }
  status.wanted = shares_.wanted();
}

}  // namespace causeway::daemon
