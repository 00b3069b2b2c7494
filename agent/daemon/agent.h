// Agent joins what the agent is made of.
//
//   service files ──▶ Supervisor ──dockerd's state──▶ EngineGate ──▶ ProxyServer ◀── engine.sock,
//                        │                                              │    ▲       docker.sock of
//                        │ snapshot, lines                     AgentPaths    │       each distro
//                        │                                              │    │ listeners
//   helpers ──▶ Shares ──┼──attached, detaching──▶ ShareGuard           ▼    │
//                 │      │                                            Shares─┘
//                 ▼      ▼
//               sections, LogRelay ──▶ ControlServer ◀── control.sock
//   Windows ◀──▶ WindowsLink ──streams──▶ ProxyServer, ControlServer
//
// What the control API tells and takes is registered in add_calls(), part by part.
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
#include "control/api.h"
#include "control/control_server.h"
#include "control_api/sockets.h"
#include "daemon/agent_command.h"
#include "daemon/agent_paths.h"
#include "daemon/engine_view.h"
#include "daemon/log_calls.h"
#include "daemon/log_relay.h"
#include "daemon/notes.h"
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

class Agent {
 public:
  // `loop` outlives it. `store` holds what init keeps for us, or nothing without init.
  Agent(io::Loop& loop, fd_store::StoreClient store, AgentOptions options);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Takes or binds the sockets, starts the services. After an error it is only to be destroyed.
  Status start();
  // The service files and the settings again.
  void reload();
  // Stops everything in order; `stopped` is called once, when nothing is left.
  void stop(std::function<void()> stopped);

 private:
  void add_calls();
  LogSource log_source();
  void load_settings();
  Status start_link();
  Result<UniqueFd> socket(std::string_view slot);
  shares::Shares::Handler share_events();
  void serve(shares::ApiListener listener);
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
  Notes notes_;
  std::string services_problem_;  // of the last reload
  settings::Settings settings_;
  control::Api api_;  // told by what stands below

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
  LogCalls logs_;
  std::unique_ptr<control::ControlServer> control_;  // goes first: it calls the rest
};

}  // namespace causeway::daemon
