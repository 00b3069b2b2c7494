// WindowsLink joins the link and what is reached through it: the Docker API under the identity of
// Windows, the control API, and, the other way, the distros that Windows is to start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "control/control_server.h"
#include "control_api/link.h"
#include "io/loop.h"
#include "link/distro_starts.h"
#include "link/link_server.h"
#include "link/settings.h"
#include "proxy/proxy_server.h"
#include "shares/shares.h"

namespace causeway::daemon {

class WindowsLink {
 public:
  // All outlive it; `control` gives the server, null before it is there. `changed`: something in
  // status().
  WindowsLink(io::Loop& loop, shares::Shares& shares, proxy::ProxyServer& proxy,
              std::function<control::ControlServer*()> control, std::function<void()> changed);

  // `socket` is link.sock; `fresh`: there is no init, so each agent is a boot of its own. An error:
  // there is no nonce, and nothing listens.
  Status start(const std::string& run, bool fresh, UniqueFd socket, const link::Settings& settings);

  control_api::LinkContact contact() const;
  control_api::LinkStatus status() const;
  proxy::ProxyServer::Users users() const { return proxy_.users(endpoint_); }

 private:
  void ask_windows();
  std::uint64_t seconds_since(std::uint64_t ms) const { return (loop_.now_ms() - ms) / 1000; }

  io::Loop& loop_;
  shares::Shares& shares_;
  proxy::ProxyServer& proxy_;
  const std::function<control::ControlServer*()> control_;
  const std::function<void()> changed_;
  const std::uint64_t endpoint_;  // of the proxy
  std::string nonce_;
  bool vsock_off_ = false;
  std::string vsock_reason_;
  std::unique_ptr<link::DistroStarts> starts_;
  std::unique_ptr<link::LinkServer> server_;  // goes first: it calls the rest
};

}  // namespace causeway::daemon
