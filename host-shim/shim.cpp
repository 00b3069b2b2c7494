#include "shim.h"

#include <windows.h>
#include <winsock2.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/lifetime.h"
#include "link/control_call.h"
#include "link/distro_start.h"
#include "link/link.h"
#include "log_line.h"
#include "pipe/named_pipe.h"
#include "pipe/relay.h"
#include "windows/completion_port.h"
#include "windows/pipe_security.h"
#include "windows/windows_text.h"

namespace causeway::shim {
namespace {

// A name that is taken is tried again: nothing tells when its owner ends. To make an instance is no
// connection, so the owner notices nothing.
constexpr std::uint64_t kTakenRetryMs = 10'000;
// Windows gives programs some seconds when the session ends; the user shall not wait for us.
constexpr std::uint64_t kSessionEndMs = 1'000;

std::string variable(const wchar_t* name) {
  std::wstring value(32768, L'\0');
  value.resize(GetEnvironmentVariableW(name, value.data(), static_cast<DWORD>(value.size())));
  return to_utf8(value);
}

// The meta.json of the context `causeway` in docker's store on Windows: contexts\meta\<SHA-256 of
// the name> (docker/cli cli/context/store).
std::string context_file() {
  const auto config = variable(L"DOCKER_CONFIG");
  return (config.empty() ? variable(L"USERPROFILE") + "\\.docker" : config) +
         "\\contexts\\meta\\c2c0a72b71b80142760661b2ca697e2bf7db5c4281da903b23af67ee1277c045"
         "\\meta.json";
}

// How docker.exe is led to `pipe`, without and with a context. One of that name may be there, from
// an earlier time: `create` would fail.
std::string advice(const std::string& pipe) {
  // docker.exe writes a pipe as npipe:////./pipe/NAME.
  std::string url = "npipe://" + pipe;
  std::replace(url.begin(), url.end(), '\\', '/');
  const bool there = GetFileAttributesW(to_wide(context_file()).c_str()) != INVALID_FILE_ATTRIBUTES;
  return "set DOCKER_HOST=" + url + ", or: docker context " + (there ? "update" : "create") +
         " causeway --docker host=" + url + ", then: docker context use causeway";
}

// What lives on the loop's thread, from its start to its end.
class Core : private link::Link::Owner, private pipe::Relay::Owner {
 public:
  Core(CompletionPort& port, PipeSecurity security, const ShimSettings& settings,
       const ShimCallbacks& callbacks)
      : port_(port),
        security_(std::move(security)),
        settings_(settings),
        callbacks_(callbacks),
        retry_(port),
        link_(port, settings, callbacks.log, *this) {
    for (const auto& name : {settings.pipe, settings.private_pipe})
      if (!name.empty()) pipes_.push_back({name, nullptr, {}});
    serve();
  }
  ~Core() override {
    relays_.clear();
    // What is left waits for a client to take its last bytes; the loop couldn't end without these.
    for (const auto& weak : accepted_)
      if (const auto client = weak.lock()) client->abort();
  }

  link::Link& link() { return link_; }

  ShimStatus status() const {
    ShimStatus status;
    link_.fill(status);
    for (const auto& pipe : pipes_)
      status.pipes.push_back({pipe.name, pipe.server != nullptr, pipe.reason});
    status.clients = static_cast<std::uint32_t>(relays_.size());
    status.clients_total = clients_total_;
    status.refused_total = refused_total_;
    DWORD handles = 0;
    GetProcessHandleCount(GetCurrentProcess(), &handles);
    status.handles = handles;
    return status;
  }

  // When the link is stopped, `stopped` is called once.
  void stop(std::function<void()> stopped) {
    stopped_ = std::move(stopped);
    retry_.stop();
    for (auto& pipe : pipes_) pipe.server.reset();
    link_.stop();
    link_changed();
  }

 private:
  struct Pipe {
    std::string name;
    std::unique_ptr<pipe::PipeServer> server;  // null: not served
    std::string reason;
  };

  void serve() {
    bool missing = false;
    for (auto& pipe : pipes_)
      if (!pipe.server) missing = !serve(pipe) || missing;
    if (missing) retry_.start(kTakenRetryMs, [this] { serve(); });
  }

  bool serve(Pipe& pipe) {
    auto server = std::make_unique<pipe::PipeServer>(
        port_, security_, pipe::PipeServer::Options{.name = pipe.name},
        [this](std::shared_ptr<pipe::PipeClient> client) { accept(std::move(client)); });
    const auto started = server->start();
    std::string reason;
    if (!started) reason = why_not_served(pipe, started.error());
    const bool changed = reason != pipe.reason || !pipe.server;
    pipe.reason = std::move(reason);
    if (started) pipe.server = std::move(server);
    if (!changed) return static_cast<bool>(started);
    if (started)
      callbacks_.log(log::Level::info, log_line("pipe.served", {{"name", pipe.name}}));
    else
      callbacks_.log(log::Level::warning,
                     log_line("pipe.not_served", {{"name", pipe.name}, {"reason", pipe.reason}}));
    changed_soon();
    return static_cast<bool>(started);
  }

  std::string why_not_served(const Pipe& pipe, const Error& error) const {
    if (!pipe::PipeServer::taken(error)) return error.message;
    std::string reason = "another program serves it";
    if (pipe.name != settings_.pipe || settings_.private_pipe.empty()) return reason;
    return reason + " (Docker Desktop?): " + advice(settings_.private_pipe);
  }

  void accept(std::shared_ptr<pipe::PipeClient> client) {
    ++clients_total_;
    std::erase_if(accepted_, [](const auto& weak) { return weak.expired(); });
    accepted_.push_back(client);
    pipe::Relay::Owner& owner = *this;
    auto relay =
        std::make_unique<pipe::Relay>(port_, std::move(client), settings_.client_wait_ms, owner);
    relays_.emplace(relay.get(), std::move(relay));
  }

  // the relays
  bool link_is_up() const override { return link::is_up(link_.phase()); }
  bool link_is_coming() const override { return link::is_coming(link_.phase()); }
  std::unique_ptr<link::LinkChannel> open_engine() override {
    return link_.open(wire::Channel::engine);
  }
  std::string why_no_link() const override {
    ShimStatus status;
    link_.fill(status);
    if (status.connected()) return "Causeway: too many connections to the engine at once";
    std::string text = "Causeway: the engine can't be reached: " + status.state;
    if (!status.reason.empty()) text += ": " + status.reason;
    return text;
  }
  void refused() override { ++refused_total_; }
  void relay_over(pipe::Relay& relay) override {
    const auto found = relays_.find(&relay);
    if (found == relays_.end()) return;
    // Destroyed at the turn's end: its own call is still running.
    over_.push_back(std::move(found->second));
    relays_.erase(found);
    if (over_.size() == 1) port_.defer(lifetime_.guard([this] { over_.clear(); }));
  }

  // the link
  void link_changed() override {
    std::vector<pipe::Relay*> relays;
    for (const auto& [relay, owned] : relays_) relays.push_back(relay);
    for (auto* relay : relays)
      if (relays_.contains(relay)) relay->link_changed();
    changed_soon();
    if (link_.phase() == link::LinkPhase::stopped)
      if (const auto stopped = std::exchange(stopped_, nullptr)) stopped();
  }
  void link_opened(wire::Channel, std::unique_ptr<link::LinkChannel> stream) override {
    link::serve_distro_start(port_, std::move(stream), callbacks_.on_distro_start);
  }

  void changed_soon() {
    if (!callbacks_.on_change || std::exchange(changing_, true)) return;
    port_.defer(lifetime_.guard([this] {
      changing_ = false;
      callbacks_.on_change(status());
    }));
  }

  CompletionPort& port_;
  const PipeSecurity security_;
  const ShimSettings& settings_;
  const ShimCallbacks& callbacks_;
  std::vector<Pipe> pipes_;
  Timer retry_;
  bool changing_ = false;
  std::function<void()> stopped_;
  std::uint64_t clients_total_ = 0;
  std::uint64_t refused_total_ = 0;
  std::vector<std::weak_ptr<pipe::PipeClient>> accepted_;  // bounded by the pipes' most clients
  std::vector<std::unique_ptr<pipe::Relay>> over_;
  link::Link link_;
  // They end before the link: they use it.
  std::unordered_map<pipe::Relay*, std::unique_ptr<pipe::Relay>> relays_;
  Lifetime lifetime_;  // the last: ends first
};

}  // namespace

struct Shim::State {
  State(ShimSettings with, ShimCallbacks tell)
      : settings(std::move(with)), callbacks(std::move(tell)) {
    if (!callbacks.log) callbacks.log = [](log::Level, std::string_view) {};
  }

  void end(std::uint64_t within_ms);

  const ShimSettings settings;
  ShimCallbacks callbacks;
  CompletionPort port;
  std::unique_ptr<Core> core;  // of the loop's thread, while that runs
  std::thread thread;
  std::atomic<bool> running{false};
};

Shim::Shim(ShimSettings settings, ShimCallbacks callbacks)
    : state_(std::make_unique<State>(std::move(settings), std::move(callbacks))) {}

Shim::~Shim() { state_->end(0); }

Status Shim::start() {
  auto security = PipeSecurity::for_this_user();
  if (!security) return std::move(security).error();
  State& state = *state_;
  state.running = true;
  state.thread = std::thread(
      [&state, security = std::make_shared<PipeSecurity>(*std::move(security))]() mutable {
        state.core = std::make_unique<Core>(state.port, std::move(*security), state.settings,
                                            state.callbacks);
        state.core->link().start();
        state.port.run();
        state.core.reset();
      });
  return Ok{};
}

// `within_ms` 0: at once, without a farewell.
void Shim::State::end(std::uint64_t within_ms) {
  if (!thread.joinable()) return;
  running = false;
  port.post([this, within_ms] {
    if (within_ms == 0) return port.stop();
    core->stop([this] { port.stop(); });
    port.after(within_ms, [this] { port.stop(); });
  });
  thread.join();
}

void Shim::stop() {
  constexpr std::uint64_t kStopMs = 5'000;  // attach has 2 s of it to end by itself
  state_->end(kStopMs);
}

void Shim::session_ending() { state_->end(kSessionEndMs); }

void Shim::resumed() {
  if (state_->running) state_->port.post([this] { state_->core->link().resumed(); });
}

ShimStatus Shim::status() const {
  ShimStatus status;
  status.state = link::phase_name(link::LinkPhase::stopped);
  if (!state_->running) return status;
  struct Reply {
    std::mutex mutex;
    std::condition_variable told;
    bool done = false;
    ShimStatus status;
  };
  const auto reply = std::make_shared<Reply>();
  reply->status = std::move(status);
  // Told when the task has run, and also when it is dropped because the loop has ended.
  std::shared_ptr<void> tell(nullptr, [reply](void*) {
    const std::lock_guard lock(reply->mutex);
    reply->done = true;
    reply->told.notify_one();
  });
  state_->port.post([this, reply, tell = std::move(tell)] {
    auto now = state_->core->status();
    const std::lock_guard lock(reply->mutex);
    reply->status = std::move(now);
  });
  std::unique_lock lock(reply->mutex);
  reply->told.wait(lock, [&] { return reply->done; });
  return reply->status;
}

void Shim::request(std::string method, std::string path, std::string body, Answer answer) {
  if (!state_->running) return answer(make_error("the shim doesn't run"));
  state_->port.post([this, method = std::move(method), path = std::move(path),
                     body = std::move(body), answer = std::move(answer)] {
    auto stream = state_->core->link().open(wire::Channel::control);
    if (!stream) return answer(make_error("there is no link to the agent"));
    link::call_control(state_->port, std::move(stream), method, path, body, answer);
  });
}

}  // namespace causeway::shim
