// EngineGate is what the proxy knows of the engine: whether it takes requests, why not, and where.
// The program that wires proxy and supervisor tells it each change; the two don't know each other.
//
//   state     a request     why
//   starting  waits         it will be ready soon. Also the time between a crash and the restart.
//   ready     goes on
//   down      is refused    stopped on purpose, or given up: nobody starts it by himself
//   asleep    waits         stopped to save memory: the first request wakes it, once
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace causeway::proxy {

class EngineGate {
 public:
  enum class State { starting, ready, down, asleep };
  // What a request is to do.
  enum class Admission { go_on, wait, refuse };

  explicit EngineGate(std::string socket_path) : socket_path_(std::move(socket_path)) {}
  EngineGate(const EngineGate&) = delete;
  EngineGate& operator=(const EngineGate&) = delete;

  State state() const { return state_; }
  // For people, in one clause: "dockerd waits for containerd", "dockerd exited with status 1".
  const std::string& reason() const { return reason_; }
  const std::string& socket_path() const { return socket_path_; }

  // Tells the subscribers when the state changed, or for `ready` again: a new engine process may
  // listen now. Not to be called by a subscriber, but for what `wake` does.
  void set(State state, std::string reason);

  // `wake` is to start the engine that is asleep. It is called once for each time that the engine
  // falls asleep, within admit(), and may call set().
  void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }
  // A request is here for the engine. The first one wakes an engine that is asleep.
  Admission admit();

  // `changed` is called after each set() that matters, until unsubscribe().
  std::uint64_t subscribe(std::function<void()> changed);
  void unsubscribe(std::uint64_t id) { subscribers_.erase(id); }

 private:
  std::string socket_path_;
  State state_ = State::starting;
  std::string reason_ = "the engine has not been started yet";
  bool woken_ = false;  // since it fell asleep
  std::function<void()> wake_;
  std::map<std::uint64_t, std::function<void()>> subscribers_;
  std::uint64_t next_ = 1;
};

// "the Docker engine is starting: dockerd waits for containerd"
std::string describe(const EngineGate& gate);

}  // namespace causeway::proxy
