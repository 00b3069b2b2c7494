#include "daemon/windows_link.h"

#include <utility>

#include "link/nonce.h"
#include "wire/hello.h"

namespace causeway::daemon {
namespace {

constexpr std::string_view kVsock = "vsock";

// Why nothing listens on AF_VSOCK; empty: it shall.
std::string why_no_vsock(link::Vsock wanted) {
  switch (wanted) {
    case link::Vsock::on:
      return {};
    case link::Vsock::off:
      return "switched off in settings.json";
    case link::Vsock::automatic:
      return link::is_wsl_kernel(link::kernel_release()) ? "" : "this is not a kernel of WSL";
  }
  return {};
}

}  // namespace

WindowsLink::WindowsLink(io::Loop& loop, shares::Shares& shares, proxy::ProxyServer& proxy,
                         std::function<control::ControlServer*()> control,
                         std::function<void()> changed)
    : loop_(loop),
      shares_(shares),
      proxy_(proxy),
      control_(std::move(control)),
      changed_(std::move(changed)),
      endpoint_(proxy.open({paths::Identity::Kind::windows, "windows"})) {}

Status WindowsLink::start(const std::string& run, bool fresh, UniqueFd socket,
                          const link::Settings& settings) {
  auto nonce = link::boot_nonce(run, fresh);
  if (!nonce) return std::move(nonce).error();
  nonce_ = *std::move(nonce);
  link::LinkServer::Options options;
  if (const auto bytes = wire::nonce_from_hex(nonce_)) options.session.nonce = *bytes;

  link::LinkServer::Handler handler;
  handler.serve = [this](wire::Channel channel, std::unique_ptr<io::ByteStream> stream) {
    control::ControlServer* const control = control_();
    if (channel == wire::Channel::engine) return proxy_.serve(endpoint_, std::move(stream));
    if (channel == wire::Channel::control && control != nullptr)
      return control->serve(std::move(stream));
    return stream;
  };
  handler.connected = [this] { ask_windows(); };
  handler.changed = changed_;
  server_ = std::make_unique<link::LinkServer>(loop_, options, std::move(handler));
  starts_ = std::make_unique<link::DistroStarts>(
      loop_, [this] { return server_->open(wire::Channel::distro_start); },
      [this](const std::string& distro, const std::string& reason) {
        shares_.not_started(distro, reason);
      });
  shares_.on_wanted([this](const std::string& distro) { starts_->ask(distro); });

  server_->listen(link::unix_endpoint(run + "/link.sock", std::move(socket)));
  vsock_reason_ = why_no_vsock(settings.vsock);
  vsock_off_ = !vsock_reason_.empty();
  if (!vsock_off_)
    server_->listen(
        link::vsock_endpoint(wire::kLinkPort, static_cast<std::uint32_t>(settings.peer_cid)));
  if (settings.tcp_port != 0) server_->listen(link::tcp_endpoint(settings.tcp_port));
  return Ok{};
}

// What was asked for while nobody was there to hear it.
void WindowsLink::ask_windows() {
  for (const auto& distro : shares_.wanted()) starts_->ask(distro);
}

control_api::LinkContact WindowsLink::contact() const {
  control_api::LinkContact out;
  out.nonce = nonce_;
  out.major = wire::kMajor;
  if (!server_) return out;
  for (const auto& listener : server_->listeners())
    if (listener.endpoint().transport == kVsock && listener.listening()) out.port = wire::kLinkPort;
  return out;
}

control_api::LinkStatus WindowsLink::status() const {
  control_api::LinkStatus out;
  if (!server_) return out;
  const auto status = server_->status();
  out.connected = status.sessions > 0;
  out.transport = status.transport;
  out.age_s = seconds_since(status.since_ms);
  out.sessions = status.sessions;
  out.streams = status.streams;
  for (const auto& listener : server_->listeners())
    out.listeners.push_back({listener.endpoint().transport, listener.endpoint().address,
                             listener.listening() ? control_api::ListenerState::listening
                                                  : control_api::ListenerState::failed,
                             listener.reason()});
  if (vsock_off_)
    out.listeners.push_back({std::string(kVsock), "port " + std::to_string(wire::kLinkPort),
                             control_api::ListenerState::off, vsock_reason_});
  if (status.refusal) {
    out.refusal = status.refusal->reason;
    out.refusal_age_s = seconds_since(status.refusal->at_ms);
  }
  return out;
}

}  // namespace causeway::daemon
