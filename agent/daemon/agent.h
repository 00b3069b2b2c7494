// Agent joins what the agent is made of.
//
//   service files ──▶ Supervisor ──dockerd's state──▶ EngineGate ──▶ ProxyServer ◀── engine.sock,
//                        │                                              │    ▲       docker.sock of
//                        │ snapshot, lines                     AgentPaths    │       each distro
//                        │                                              │    │ listeners
//   helpers ──▶ Shares ──┼──attached, detaching──▶ ShareGuard           ▼    │
//                 │      │                                            Shares─┘
//                 ▼      ▼
//               status, LogRelay ──▶ ControlServer ◀── control.sock
//   Windows ◀──▶ WindowsLink ──streams──▶ ProxyServer, ControlServer
//
// Both sockets accept from the first moment: requests wait for the engine. On stop() they still
// answer until the last service is off.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "containers/share_guard.h"
#include "control/control_server.h"
#include "daemon/agent_command.h"
#include "daemon/agent_paths.h"
#include "daemon/engine_view.h"
#include "daemon/log_relay.h"
#include "daemon/shares_wait.h"
#include "daemon/windows_link.h"
#include "fd_store/store_client.h"
#include "http_client/http_client.h"
#include "io/loop.h"
#include "proxy/engine_gate.h"
#include "proxy/proxy_server.h"
#include "settings/settings.h"
#include "shares/shares.h"
#include "supervise/supervisor.h"

namespace causeway::daemon {

class Agent final : private control::ControlBackend {
 public:
  // `loop` outlives it. `store` holds what init keeps for us, or nothing without init.
  Agent(io::Loop& loop, fd_store::StoreClient store, AgentOptions options);
  ~Agent() override;

  // Takes or binds the sockets, starts the services. After an error it is only to be destroyed.
  Status start();
  // The service files and the settings again.
  void reload();
  // Stops everything in order; `stopped` is called once, when nothing is left.
  void stop(std::function<void()> stopped);

 private:
  // ControlBackend
  control_api::ProductStatus status() override;
  bool has_service(std::string_view service) override;
  std::vector<control_api::LogLine> logs(std::string_view service, std::size_t tail,
                                         bool fresh) override;
  Status perform(control_api::Action action, std::string_view service) override;
  Status enable_distro(std::string_view distro, bool enabled) override;
  control_api::LinkContact link_contact() override { return link_.contact(); }
  Result<control_api::ClockStep> step_clock(std::int64_t unix_ms) override;

  void load_settings();
  Status start_link();
  Result<UniqueFd> socket(std::string_view slot);
  shares::Shares::Handler share_events();
  void serve(shares::ApiListener listener);
  void add_shares(control_api::ProductStatus& status) const;
  void changed();
  void note_engine_start(const std::vector<supervise::ServiceSummary>& states);
  std::vector<control_api::SocketStatus> sockets() const;

  io::Loop& loop_;
  fd_store::StoreClient store_;
  const AgentOptions options_;
  const std::uint64_t started_ms_;
  bool stopping_ = false;
  EngineView engine_;
  supervise::State engine_service_ = supervise::State::off;  // of dockerd, as last seen
  std::uint64_t engine_since_ms_;
  std::vector<control_api::Note> notes_;  // of the agent itself
  std::string services_problem_;          // of the last reload
  settings::Settings settings_;

  // A listener of the shares, by its key.
  struct Served {
    std::uint64_t id;
    std::string path;
    std::string purpose;
  };
  std::map<std::string, Served, std::less<>> served_;
  std::uint64_t engine_listener_ = 0;

  supervise::Supervisor supervisor_;
  proxy::EngineGate gate_;
  http_client::HttpClient engine_client_;
  shares::Shares shares_;
  AgentPaths paths_;
  containers::ShareGuard guard_;
  proxy::ProxyServer proxy_;
  WindowsLink link_;
  std::unique_ptr<SharesWait> wait_;
  std::unique_ptr<LogRelay> relay_;
  std::unique_ptr<control::ControlServer> control_;  // goes first: it calls us
};

}  // namespace causeway::daemon
