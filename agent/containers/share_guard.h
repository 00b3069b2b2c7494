// ShareGuard keeps containers and the shares they bind from together: what loses its files is
// stopped and remembered, what waits for files is started when they are there.
//
//   share detaching ──▶ containers that bind from it are written down, then stopped; then detached
//   share attached  ──▶ those written down start again, and those that dockerd itself failed to
//   engine ready    ──▶ start since a share was missing; and those that run without it are stopped
//
// The list outlives everything (a file), and is written before the first stop: after a kill at any
// line a container either still runs or is remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "containers/container_records.h"
#include "http_client/http_client.h"
#include "io/loop.h"

namespace causeway::containers {

class ShareGuard {
 public:
  struct Options {
    std::string docker_root = "/data/docker";
    std::string state_file = "/data/causeway/stopped_containers.json";
  };
  // Whether a distro's share is there now.
  using Attached = std::function<bool(std::string_view distro)>;
  // Whether a container's sources still mean what they did: `checked` gets why not, or nothing.
  using Checked = std::function<void(const std::string& problem)>;
  using Check = std::function<void(const std::string& id, Checked checked)>;
  // `loop` and `engine` outlive the guard.
  ShareGuard(io::Loop& loop, http_client::HttpClient& engine, Attached attached, Check check,
             Options options);

  ~ShareGuard();
  ShareGuard(const ShareGuard&) = delete;
  ShareGuard& operator=(const ShareGuard&) = delete;

  // Reads the list. One that can't be read is an error for the log, and an empty list.
  Status load();

  // The engine takes calls, or not.
  void engine_ready(bool ready);
  void share_attached(const std::string& distro);
  // `done` is called once, later: all containers that bind from it are stopped, or can't be (no
  // engine; it is found again when the engine is back).
  void share_detaching(const std::string& distro, std::function<void()> done);

  // Container ids by the distro they wait for.
  const std::map<std::string, std::set<std::string>>& remembered() const { return remembered_; }

 private:
  using Listed = std::function<void(std::vector<std::pair<std::string, std::set<std::string>>>)>;
  void list_running(Listed done);
  void watch_starts();
  void on_event(std::string_view event);
  void stop_all(const std::set<std::string>& ids, const std::string& distro,
                std::function<void()> done);
  void start_waiting();
  bool complete(const ContainerRecord& record) const;
  bool gave_up(const ContainerRecord& record) const;
  void start(const std::string& id, const std::string& why);
  void send_start(const std::string& id, const std::string& why);
  void forget(const std::string& id);
  Status save() const;

  io::Loop& loop_;
  http_client::HttpClient& engine_;
  const Attached attached_;
  const Check check_;
  const Options options_;
  bool ready_ = false;
  std::uint64_t watch_ = 0;  // of dockerd's events; 0: none
  std::map<std::string, std::set<std::string>> remembered_;
  std::set<std::string> starting_;
  std::set<std::string> retried_;  // after an event, since the last start_waiting()
  Lifetime lifetime_;
};

}  // namespace causeway::containers
