// ShareGuard keeps containers and the shares they bind from together: what loses its files is
// stopped and remembered, what waits for files is started when they are there.
//
//   share detaching ──▶ containers that bind from it are written down, then stopped; then detached
//   share attached  ──▶ those written down start again, and those that dockerd itself failed to
//   engine ready    ──▶ start since a share was missing; and those that run without it are stopped
//
// The list outlives everything (a file), and is written before the first stop: after a kill at any
// line a container either still runs or is remembered. An engine that doesn't say what runs is
// asked again until it does; what runs by its own records is remembered meanwhile.
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
#include "io/timer.h"

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
  // `changed`: what problems() shows.
  ShareGuard(io::Loop& loop, http_client::HttpClient& engine, Attached attached, Check check,
             Options options, std::function<void()> changed);

  ~ShareGuard();
  ShareGuard(const ShareGuard&) = delete;
  ShareGuard& operator=(const ShareGuard&) = delete;

  // Reads the list. One that can't be read is an error for the log, and an empty list.
  Status load();

  // The engine takes calls, or not.
  void engine_ready(bool ready);
  void share_attached(const std::string& distro);
  // `done` is called once, later: all containers that bind from it are stopped, or can't be (no
  // engine; it is found again when the engine is back). Not before the engine has said what runs.
  void share_detaching(const std::string& distro, std::function<void()> done);

  // What can't be done at the moment, and why: for people.
  std::vector<std::string> problems() const;

  // Container ids by the distro they wait for.
  const std::map<std::string, std::set<std::string>>& remembered() const { return remembered_; }

 private:
  // The containers that run, each with the distros it binds from.
  using Running = std::vector<std::pair<std::string, std::set<std::string>>>;
  struct Detaching {
    std::string distro;
    std::function<void()> done;
  };
  void list_running(std::function<void(Result<Running>)> done);
  void look();
  void look_later();
  void listed(const Running& running, const std::vector<Detaching>& detaching);
  void not_listed(const Error& why, std::vector<Detaching> detaching);
  void remember_by_records(const std::vector<Detaching>& detaching);
  void remember(const std::string& distro, const std::set<std::string>& ids);
  void watch_starts();
  void watch_ended(const Error& why);
  void on_event(std::string_view event);
  void stop_all(const std::set<std::string>& ids, const std::string& distro,
                std::function<void()> done);
  void stop_answered(const std::string& id, const Result<http_client::Reply>& reply);
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
  const std::function<void()> changed_;
  bool ready_ = false;
  bool looking_ = false;              // the engine is asked what runs
  bool look_again_ = false;           // once more after that
  std::vector<Detaching> detaching_;  // for the next look
  std::string unlisted_;              // why the engine didn't say what runs; empty: it did
  std::map<std::string, std::string> unstopped_;  // containers that couldn't be stopped, and why
  std::string unwatched_;                         // why there are no events; empty: there are
  std::uint64_t pause_ms_ = 0;                    // before the next look, after a failure
  std::uint64_t watch_pause_ms_ = 0;
  io::Timer again_;
  io::Timer watch_again_;
  io::Timer records_;
  std::uint64_t watch_ = 0;  // of dockerd's events; 0: none
  std::map<std::string, std::set<std::string>> remembered_;
  std::set<std::string> starting_;
  std::set<std::string> retried_;  // after an event, since the last start_waiting()
  Lifetime lifetime_;
};

}  // namespace causeway::containers
