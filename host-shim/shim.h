// Shim is the core of causeway.exe: it serves the engine's pipes, holds the distro open through
// `wsl.exe … attach`, keeps one link to the agent, and relays each client of the pipes over it.
//
//   docker.exe ── \\.\pipe\docker_engine ──▶ Shim ══ hvsocket, or attach's stdio ══▶ agent
//
// Everything happens on one thread of its own, around one completion port. All functions may be
// called from any thread except from within a callback of ShimCallbacks, which are called on that
// thread and must not block. Text is UTF-8.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::shim {

struct ShimSettings {
  std::string pipe = R"(\\.\pipe\docker_engine)";
  std::string private_pipe = R"(\\.\pipe\causeway_engine)";
  // argv of what holds the distro and tells how to reach the agent. Empty: nothing is started, and
  // `tcp` with `tcp_nonce` is the only way (development).
  std::vector<std::string> attach = {"wsl.exe", "-d",     "docker-desktop",    "-u",
                                     "root",    "--exec", "/usr/bin/causeway", "attach"};
  bool allow_elevated = false;  // else wsl.exe isn't started by a process that is
  bool hvsocket = true;         // false: the stdin and stdout of attach only
  std::string tcp;              // "127.0.0.1:PORT": dialed instead of hvsocket; development
  std::string tcp_nonce;        // 32 hex digits; only used without attach
  std::uint32_t start_timeout_ms = 180'000;  // of attach, until its line: the VM may have to boot
  std::uint32_t dial_timeout_ms = 5'000;     // of the direct carrier, until it is connected
  std::uint32_t first_delay_ms = 500;        // before a new try; doubles
  std::uint32_t longest_delay_ms = 30'000;
  std::uint32_t client_wait_ms = 30'000;  // of a client while the link is being made
};

enum class LogLevel { debug, info, warning, error };

// What the agent wants to have started; `answer` may be called later and from any thread, once.
struct DistroStart {
  std::string distro;
  std::function<void(bool started, std::string reason)> answer;
};

struct ShimStatus {
  struct Pipe {
    std::string name;
    bool serving = false;
    std::string reason;  // why not, and what to do about it
  };
  struct Attach {
    std::uint32_t pid = 0;                // 0: doesn't run
    std::uint32_t starts = 0;             // since the shim's start
    std::string last_end;                 // how it ended the last time
    std::vector<std::string> last_lines;  // of what it said, newest last
  };
  // "stopped", "starting", "dialing", "greeting", "connected", "waiting", "stopping"
  std::string state;
  std::string reason;              // why it is in this state; what the last error was
  std::string carrier;             // "hvsocket", "tcp", "stdio"; empty: no link
  std::string carrier_reason;      // why not hvsocket, when it isn't
  std::uint64_t connected_ms = 0;  // for how long
  std::string agent_version;
  std::string vm_id;
  std::vector<Pipe> pipes;
  Attach attach;
  std::uint32_t clients = 0;  // of the pipes, now
  std::uint64_t clients_total = 0;
  std::uint64_t refused_total = 0;  // answered with 503
  std::uint64_t links_total = 0;    // that came up
  std::uint32_t streams = 0;        // on the link, now
  std::uint32_t handles = 0;        // of this process
  bool connected() const { return !carrier.empty(); }
};

struct ShimCallbacks {
  std::function<void(LogLevel, std::string_view)> log;  // must be callable from the Shim's thread
  // Absent: each is answered "no".
  std::function<void(DistroStart)> on_distro_start;
  // The state has changed: link made or lost, pipe taken or freed.
  std::function<void(const ShimStatus&)> on_change;
};

class Shim {
 public:
  Shim(ShimSettings settings, ShimCallbacks callbacks);
  ~Shim();  // stops, without grace
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

  // Starts the thread and serves the pipes. An error only when nothing can be served at all: a pipe
  // whose name is taken, or a distro that is missing, is a matter of status().
  Status start();
  // Ends the link with a farewell, closes attach's stdin and ends it, closes the clients. Returns
  // when the thread has ended.
  void stop();
  // The machine woke up: the link is looked after at once, the agent's clock is set.
  void resumed();
  // The user logs off, or Windows goes down: as stop(), within at most a second.
  void session_ending();

  ShimStatus status() const;

  // One request of the agent's control API over the link, answered on the Shim's thread with the
  // status code and the body (bounded; no streams), or with an error. Not answered if the Shim is
  // stopped meanwhile.
  using Answer = std::function<void(Result<std::pair<int, std::string>>)>;
  void request(std::string method, std::string path, std::string body, Answer answer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace causeway::shim
