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
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "link/distro_start.h"
#include "shim_settings.h"
#include "shim_status.h"

namespace causeway::shim {

struct ShimCallbacks {
  std::function<void(log::Level, std::string_view)> log;  // must be callable from the Shim's thread
  // Absent: each is answered "no".
  std::function<void(link::DistroStart)> on_distro_start;
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
