#include "link/link.h"

#include <utility>

#include "link/control_call.h"
#include "link/hv_socket.h"
#include "link/tcp_transport.h"
#include "log_line.h"
#include "windows/pipe_security.h"

namespace causeway::shim::link {
namespace {

constexpr std::size_t kLastLines = 20;
// After waking up: a living agent answers in milliseconds, but the VM has to be scheduled first.
constexpr std::uint64_t kCheckMs = 5'000;

LinkTimes times_of(const ShimSettings& settings) {
  LinkTimes times;
  times.start_ms = settings.start_timeout_ms;
  times.first_delay_ms = settings.first_delay_ms;
  times.longest_delay_ms = settings.longest_delay_ms;
  return times;
}

// WSL's own program, wherever Windows keeps it; what a setting names by its folder is its business.
bool is_wsl(std::string program) {
  for (char& c : program)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return program == "wsl.exe" || program == "wsl";
}

// Unix time; FILETIME counts 100 ns from 1601.
std::int64_t unix_ms() {
  constexpr std::int64_t kUnixEpochMs = 11'644'473'600'000;
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  return ((static_cast<std::int64_t>(now.dwHighDateTime) << 32) | now.dwLowDateTime) / 10'000 -
         kUnixEpochMs;
}

}  // namespace

Link::Link(CompletionPort& port, const ShimSettings& settings,
           const std::function<void(log::Level, std::string_view)>& log, Owner& owner)
    : port_(port),
      settings_(settings),
      log_(log),
      owner_(owner),
      times_(times_of(settings)),
      random_(std::random_device{}()),
      timer_(port) {}

Link::~Link() { drop_link(); }

std::unique_ptr<LinkChannel> Link::open(wire::Channel channel) {
  return client_ && client_->up() ? client_->open(channel) : nullptr;
}

void Link::take(const LinkEvent& event) {
  events_.push_back(event);
  if (std::exchange(taking_, true)) return;
  const auto before = state_.phase;
  while (!events_.empty()) {
    const auto next = std::move(events_.front());
    events_.pop_front();
    const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
    const auto was = state_.phase;
    auto stepped = step(times_, std::move(state_), next, {CompletionPort::now_ms(), chance});
    state_ = std::move(stepped.state);
    const auto phase = std::string("link.") + phase_name(state_.phase);
    if (state_.phase != was && !state_.reason.empty())
      log_(log::Level::warning, log_line(phase, {{"reason", state_.reason}}));
    else if (state_.phase != was)
      log_(log::Level::info, log_line(phase));
    for (const auto& action : stepped.actions) run(action);
  }
  taking_ = false;
  if (state_.phase != before) owner_.link_changed();
}

void Link::take_soon(LinkEvent event) {
  port_.defer(lifetime_.guard([this, attempt = attempt_, event = std::move(event)] {
    if (attempt == attempt_) take(event);
  }));
}

void Link::run(const LinkAction& action) {
  switch (action.kind) {
    case LinkActionKind::start_attach:
      return start_attach();
    case LinkActionKind::end_attach:
      ++attempt_;
      attach_.reset();
      return;
    case LinkActionKind::ask_attach:
      if (attach_) return attach_->end_input();
      return take_soon({LinkEventKind::attach_ended});
    case LinkActionKind::dial:
      return dial();
    case LinkActionKind::greet:
      return greet();
    case LinkActionKind::drop_link:
      return drop_link();
    case LinkActionKind::say_farewell:
      if (client_ && client_->up()) return client_->farewell();
      return take_soon({LinkEventKind::farewell_said});
    case LinkActionKind::check_link:
      if (client_) client_->check(kCheckMs);
      return;
    case LinkActionKind::step_clock:
      return step_clock();
    case LinkActionKind::arm:
      return timer_.start(action.delay_ms, [this] { take({LinkEventKind::timer}); });
    case LinkActionKind::disarm:
      return timer_.stop();
  }
}

void Link::start_attach() {
  ++attempt_;
  attach_.reset();
  if (settings_.attach.empty()) {
    line_ = {};
    if (const auto nonce = wire::nonce_from_hex(settings_.tcp_nonce)) line_.nonce = *nonce;
    return take_soon({LinkEventKind::line, {}, true, is_up(state_.phase)});
  }
  if (is_wsl(settings_.attach.front()) && !settings_.allow_elevated && elevated())
    return take_soon(
        {LinkEventKind::attach_failed,
         "this causeway.exe runs as administrator, whose WSL processes live in another "
         "mount namespace than the user's: start it without that"});
  ++attach_starts_;
  last_lines_.clear();
  auto started = AttachProcess::start(port_, settings_.attach, *this);
  if (!started) return take_soon({LinkEventKind::attach_failed, started.error().message});
  attach_ = *std::move(started);
}

void Link::on_line(const wire::AttachLine& line) {
  line_ = line;
  const auto why_not = why_not_direct();
  take({LinkEventKind::line, why_not, why_not.empty(),
        client_ && client_->up() && line.nonce == linked_nonce_});
}

void Link::on_bad_line(const std::string& reason) {
  take({LinkEventKind::attach_failed, "attach: " + reason});
}

void Link::on_end(const std::string& reason) {
  last_end_ = reason;
  std::string text = "attach: " + reason;
  if (!last_lines_.empty()) text += ": " + last_lines_.back();
  ++attempt_;
  attach_.reset();
  take({LinkEventKind::attach_ended, text});
}

void Link::on_said(const std::string& line) {
  log_(log::Level::info, log_line("attach.said", {{"line", line}}));
  last_lines_.push_back(line);
  if (last_lines_.size() > kLastLines) last_lines_.pop_front();
}

// Empty: it can be dialed.
std::string Link::why_not_direct() const {
  if (!settings_.tcp.empty()) return {};
  if (!settings_.hvsocket) return "switched off in the settings";
  if (line_.vm_id.empty()) return "the agent doesn't know its VM's id (WSL older than 2.5.10)";
  if (line_.port == 0) return "the agent doesn't listen on vsock";
  return {};
}

void Link::dial() {
  drop_link();
  auto target = settings_.tcp.empty()
                    ? hv_target(line_.vm_id, line_.port, settings_.dial_timeout_ms)
                    : tcp_target(settings_.tcp);
  if (!target) return take_soon({LinkEventKind::link_failed, target.error().message});
  dial_ = std::make_unique<SocketDial>(
      port_, *std::move(target), settings_.dial_timeout_ms,
      [this](Result<std::unique_ptr<Transport>> transport) {
        dial_.reset();
        if (!transport) return take({LinkEventKind::link_failed, transport.error().message});
        keep(*std::move(transport));
      });
}

void Link::greet() {
  drop_link();
  auto transport = attach_ ? attach_->take_stdio() : nullptr;
  if (!transport) {
    const std::string direct = std::string(direct_name()) + ": " + state_.direct_reason;
    return take_soon(
        {LinkEventKind::link_failed, attach_ ? direct + "; attach's stdio is used up" : direct});
  }
  keep(std::move(transport));
}

void Link::keep(std::unique_ptr<Transport> transport) {
  LinkClient::Owner& owner = *this;
  client_ = std::make_unique<LinkClient>(port_, std::move(transport), line_.nonce, owner);
}

void Link::drop_link() {
  dial_.reset();
  // Its channels are told while it goes; they may ask for another one.
  const auto dropped = std::move(client_);
}

void Link::on_up() {
  ++links_;
  linked_nonce_ = line_.nonce;
  take({LinkEventKind::up});
}

void Link::on_down(const std::string& reason) {
  const bool was_up = is_up(state_.phase);
  drop_link();
  if (state_.phase == LinkPhase::stopping) return take({LinkEventKind::farewell_said});
  take({was_up ? LinkEventKind::link_lost : LinkEventKind::link_failed, reason});
}

void Link::on_opened(wire::Channel channel, std::unique_ptr<LinkChannel> stream) {
  owner_.link_opened(channel, std::move(stream));
}

// Windows' clock is right after a sleep; the VM's is not, for long (WSL#10006).
void Link::step_clock() {
  auto stream = open(wire::Channel::control);
  if (!stream) return;
  call_control(port_, std::move(stream), "POST", "/v1/clock",
               "{\"unix_ms\":" + std::to_string(unix_ms()) + "}",
               [&log = log_](const Result<std::pair<int, std::string>>& answer) {
                 if (!answer)
                   return log(log::Level::warning,
                              log_line("clock.not_set", {{"error", answer.error().message}}));
                 const auto& [status, body] = *answer;
                 if (status == 200)
                   log(log::Level::info, log_line("clock.set", {{"answer", body}}));
                 else
                   log(log::Level::warning,
                       log_line("clock.not_set", {{"status", status}, {"answer", body}}));
               });
}

void Link::fill(ShimStatus& status) const {
  status.state = phase_name(state_.phase);
  status.reason = state_.reason;
  status.transport_reason = state_.direct_reason;
  if (is_up(state_.phase)) {
    status.transport = state_.phase == LinkPhase::stdio ? "stdio" : direct_name();
    status.connected_ms = CompletionPort::now_ms() - state_.up_since;
    status.agent_version = line_.version;
    status.vm_id = line_.vm_id;
  }
  status.streams = client_ ? static_cast<std::uint32_t>(client_->streams()) : 0;
  status.links_total = links_;
  status.attach.pid = attach_ ? attach_->pid() : 0;
  status.attach.starts = attach_starts_;
  status.attach.last_end = last_end_;
  status.attach.last_lines.assign(last_lines_.begin(), last_lines_.end());
}

}  // namespace causeway::shim::link
