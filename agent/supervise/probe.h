// Probe finds out when a service does its work, by its ReadyRule. It waits for events: a socket or
// file that appears (inotify), an HTTP answer that is pending (dockerd listens early and answers
// when it can). Only where no event exists does it try again by itself, with growing pauses: a
// refused connect (bound, not yet listening), an answer other than 200, a command that failed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "http_client/http_client.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"
#include "process/reaper.h"
#include "process/run_once.h"
#include "supervise/service_spec.h"

namespace causeway::supervise {

class Probe {
 public:
  // `answered` is called once, never from inside the constructor; it may destroy the Probe.
  Probe(io::Loop& loop, process::Reaper& reaper, const ReadyRule& rule,
        std::vector<std::string> environment, std::function<void()> answered);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // What it found last: "GET /_ping: connect /run/…: Connection refused".
  const std::string& finding() const { return finding_; }

 private:
  void look();
  void look_at_socket();
  void ask();
  void not_connected(const Error& error);
  void run_command();
  void again_later(std::string finding);
  void done();

  io::Loop& loop_;
  process::Reaper& reaper_;
  ReadyRule rule_;
  std::vector<std::string> environment_;
  std::function<void()> answered_;
  std::string finding_;
  std::uint64_t pause_ms_;
  Lifetime lifetime_;
  io::Timer retry_;
  std::unique_ptr<io::PathWatch> watch_;
  bool asking_ = false;    // a GET is under way
  bool appeared_ = false;  // since it began
  http_client::HttpClient client_;
  std::unique_ptr<process::RunOnce> command_;
};

}  // namespace causeway::supervise
