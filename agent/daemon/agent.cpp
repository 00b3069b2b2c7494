#include "daemon/agent.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "control_api/engine.h"
#include "daemon/agent_calls.h"
#include "daemon/clock_calls.h"
#include "daemon/distro_calls.h"
#include "daemon/link_calls.h"
#include "daemon/service_calls.h"
#include "fd_store/sockets.h"
#include "io/endpoint.h"
#include "paths/engine_paths.h"

namespace causeway::daemon {
namespace {

// The service that provides the Docker API, and its socket, below RUN (see its service file).
constexpr const char* kEngineService = "dockerd";
constexpr const char* kEngineSocket = "/dockerd.sock";
// After the services are off, for the last answers to reach their clients.
constexpr std::uint64_t kDrainMs = 1000;

supervise::Supervisor::Options supervisor_options(const AgentOptions& options) {
  supervise::Supervisor::Options out;
  out.directories = {options.run, options.data, options.etc};
  return out;
}

shares::Options share_options(const AgentOptions& options) {
  shares::Options out;
  out.run = options.run;
  out.data = options.data;
  out.docker_root = options.data + paths::kDockerRoot;
  return out;
}

containers::ShareGuard::Options guard_options(const AgentOptions& options) {
  containers::ShareGuard::Options out;
  out.docker_root = options.data + paths::kDockerRoot;
  out.state_file = options.data + "/causeway/stopped_containers.json";
  return out;
}

// Large request bodies wait here for their editors.
proxy::Limits proxy_limits(const AgentOptions& options) {
  proxy::Limits out;
  out.body_directory = options.data + "/causeway";
  return out;
}

// Where clients wait at the door.
std::vector<control_api::Note> notes_of(const std::vector<control_api::SocketStatus>& sockets) {
  std::vector<control_api::Note> out;
  for (const auto& socket : sockets) {
    if (!socket.full) continue;
    out.push_back({true, socket.purpose + " (" + socket.path + "): all " +
                             std::to_string(socket.connections) +
                             " connections that it may have are open, so further clients wait; " +
                             std::to_string(socket.stalled) +
                             " of them have stopped within a request and give way"});
  }
  return out;
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
      settings_(options_.etc),
      api_(loop),
      supervisor_(loop, store_, supervisor_options(options_)),
      gate_(options_.run + kEngineSocket),
      engine_client_(loop, options_.run + kEngineSocket),
      shares_(loop, store_, share_options(options_), share_events()),
      paths_(loop, shares_, engine_client_, options_.data + paths::kDockerRoot),
      guard_(
          loop, engine_client_,
          [this](std::string_view distro) { return shares_.attached(distro); },
          [this](const std::string& id, containers::ShareGuard::Checked checked) {
            paths_.check(id, std::move(checked));
          },
          guard_options(options_), [this] { api_.sections.changed(); }),
      proxy_(loop, gate_, proxy_limits(options_), {&paths_.editor()}),
      link_(
          loop, shares_, proxy_, [this] { return control_.get(); },
          [this] { api_.sections.changed(); }),
      logs_(api_, log_source()) {
  gate_.on_wake([this] {
    if (auto woken = supervisor_.wake_service(kEngineService); !woken)
      log::error("engine.not_woken", {{"error", woken.error().message}});
  });
  load_settings();
  add_calls();
}

Agent::~Agent() = default;

// Wrong ones must not keep the engine down.
void Agent::load_settings() {
  if (auto loaded = settings_.file.load(); !loaded)
    log::error("agent.settings", {{"error", loaded.error().message}});
  const auto engine_start = [](const auto&, const auto&) {
    return std::string("at the next start of ") + kEngineService;
  };
  settings_.engine.on_change(engine_start);
  settings_.host.on_change(engine_start);
  settings_.log.on_change([this](const auto&, const supervise::LogLimits& now) {
    supervisor_.set_log_limits(now);
    return std::string();
  });
  settings_.link.on_change(
      [](const auto&, const auto&) { return std::string("at the next start of the agent"); });
  supervisor_.set_log_limits(settings_.log.in_force());
  paths_.editor().allow_swarm(!settings_.engine.in_force().live_restore);
}

// Bound by init, once in a boot; without init by us.
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
    notes_.add(true, loaded.error().message);
  }
  paths_.on_hint = [this](const std::string& hint) {
    log::warning("paths.windows_files", {{"hint", hint}});
    notes_.add(false, hint);
    api_.sections.changed();
  };
  // Before dockerd: what containers mount is there when it starts them.
  shares_.start();
  wait_ = std::make_unique<SharesWait>(paths_.distros(), options_.run,
                                       options_.data + paths::kDockerRoot, [this] { changed(); });
  supervisor_.on_change([this] { changed(); });
  if (auto started = supervisor_.start(); !started) {
    // Without services there is still somebody to ask why.
    log::error("agent.no_services", {{"error", started.error().message}});
    notes_.add(true, "no services: " + started.error().message);
  }
  relay_ = std::make_unique<LogRelay>(
      supervisor_,
      [this](std::string_view service, std::string_view line) { logs_.line(service, line); });
  changed();
  engine_listener_ = proxy_.listen(*std::move(engine), {});
  if (auto started = start_link(); !started) {
    // The engine works without Windows.
    log::error("agent.no_link", {{"error", started.error().message}});
    notes_.add(true, "no link to Windows: " + started.error().message);
  }
  control_ = std::make_unique<control::ControlServer>(loop_, *std::move(control), api_.calls);
  log::info("agent.started", {{"version", CAUSEWAY_VERSION},
                              {"run", options_.run},
                              {"start", store_.agent_start()},
                              {"init", store_.has_init()}});
  return Ok{};
}

Status Agent::start_link() {
  auto link = socket("link");
  if (!link) return std::move(link).error();
  return link_.start(options_.run, !store_.has_init(), *std::move(link), settings_.link.in_force());
}

shares::Shares::Handler Agent::share_events() {
  shares::Shares::Handler events;
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
  events.changed = [this] { api_.sections.changed(); };
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
  if (auto reloaded = settings_.file.reload(); !reloaded)
    log::error("agent.settings", {{"error", reloaded.error().message}});
  services_problem_.clear();
  if (auto reloaded = supervisor_.reload(); !reloaded) {
    log::error("agent.reload_failed", {{"error", reloaded.error().message}});
    services_problem_ = "the service files could not be read again: " + reloaded.error().message;
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
  const auto states = supervisor_.states();
  note_engine_start(states);
  auto view = engine_view(states, kEngineService, stopping_);
  if (view.state != engine_.state) engine_since_ms_ = loop_.now_ms();
  engine_ = std::move(view);
  gate_.set(gate_state(engine_.state), engine_.state == control_api::EngineState::absent
                                           ? "no engine is configured"
                                           : engine_.reason);
  guard_.engine_ready(engine_.state == control_api::EngineState::ready);
  if (relay_) relay_->refresh();
  api_.sections.changed();
}

// dockerd's own steps read the file at each of its starts.
void Agent::note_engine_start(const std::vector<supervise::ServiceSummary>& states) {
  const auto engine = std::ranges::find(states, kEngineService, &supervise::ServiceSummary::name);
  if (engine == states.end()) return;
  const auto before = std::exchange(engine_service_, engine->state);
  if (engine->state != supervise::State::starting || before == supervise::State::starting) return;
  settings_.engine.take_effect();
  settings_.host.take_effect();
  paths_.editor().allow_swarm(!settings_.engine.in_force().live_restore);
}

// What the control API tells and takes: a line or two for each part. The sections stand in this
// order in the status.
void Agent::add_calls() {
  api_.sections.add("engine", [this] {
    const auto now = engine_view(supervisor_.states(), kEngineService, stopping_);
    return to_json(control_api::EngineStatus{
        engine_.state, now.reason, (loop_.now_ms() - engine_since_ms_) / 1000, now.silent_s});
  });
  add_agent_calls(api_, [this] {
    control_api::AgentStatus agent;
    agent.age_s = (loop_.now_ms() - started_ms_) / 1000;
    agent.starts = store_.agent_start() + 1;
    return agent;
  });
  add_service_calls(api_, service_source(supervisor_));
  api_.sections.add("sockets", [this] { return to_json(sockets()); });
  add_distro_calls(api_, distro_source(shares_));
  add_link_calls(api_, link_source(link_));
  add_clock_calls(api_, Clock::system());
  notes_.add_section(api_);
  notes_.add_source([this] {
    if (services_problem_.empty()) return std::vector<control_api::Note>();
    return std::vector<control_api::Note>{{true, services_problem_}};
  });
  notes_.add_source([this] { return as_notes(settings_.file.notes()); });
  notes_.add_source([this] { return as_notes(shares_.notes()); });
  notes_.add_source([this] {
    std::vector<control_api::Note> notes;
    for (const auto& problem : guard_.problems()) notes.push_back({true, problem});
    return notes;
  });
  notes_.add_source([this] { return wait_ ? wait_->notes() : std::vector<control_api::Note>(); });
  notes_.add_source([this] { return notes_of(supervisor_.snapshot()); });
  notes_.add_source([this] { return notes_of(sockets()); });
}

LogSource Agent::log_source() {
  LogSource out;
  out.has_service = [this](const std::string& name) {
    return supervisor_.status(name).has_value();
  };
  out.last = [this](const std::string& service, std::size_t tail, bool fresh) {
    return relay_->last(service, tail, fresh);
  };
  return out;
}

std::vector<control_api::SocketStatus> Agent::sockets() const {
  std::vector<control_api::SocketStatus> out;
  const auto add = [&](const std::string& path, const std::string& purpose, std::uint64_t id) {
    const auto users = proxy_.users(id);
    out.push_back(
        {path, purpose, users.sessions + users.streams, users.streams, users.stalled, users.full});
  };
  add(options_.run + "/engine.sock", "Docker API", engine_listener_);
  for (const auto& [key, served] : served_) add(served.path, served.purpose, served.id);
  if (const auto users = link_.users(); users.sessions + users.streams > 0)
    out.push_back({"link", "Docker API for Windows", users.sessions + users.streams, users.streams,
                   users.stalled, users.full});
  out.push_back({options_.run + "/control.sock", "causeway status, logs, …",
                 control_ ? control_->sessions() : 0, 0});
  return out;
}

}  // namespace causeway::daemon
