// HelperConnection is one helper's connection: a hello first, within a time, then whatever it has
// to say; and the paths that it is asked to resolve.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/channel.h"
#include "handover/message.h"
#include "io/loop.h"
#include "io/timer.h"

namespace causeway::shares {

class HelperConnection {
 public:
  // What the session tells. Each may destroy the session.
  class Host {
   public:
    virtual ~Host() = default;
    virtual void on_hello(HelperConnection& session, handover::Hello hello, UniqueFd pidfd) = 0;
    // After on_hello; never a Hello, a Resolved, or what only an agent says.
    virtual void on_message(HelperConnection& session, handover::Message message) = 0;
    virtual void on_closed(HelperConnection& session, const Error& why) = 0;
  };

  // `host` outlives the session.
  HelperConnection(io::Loop& loop, UniqueFd connected, Host& host);
  // Answers that are still open come as errors, from the destructor.
  ~HelperConnection();
  HelperConnection(const HelperConnection&) = delete;
  HelperConnection& operator=(const HelperConnection&) = delete;

  // The distro's name, empty before the host has taken the hello.
  const std::string& distro() const { return distro_; }
  void set_distro(std::string name) { distro_ = std::move(name); }

  void send(handover::Body body, UniqueFd fd = {});
  // Says why and ends, with on_closed.
  void refuse(std::string reason, bool remove);

  // One answer for each path, in order; an error of the whole when the helper has not answered in
  // time, or went.
  using Resolved = std::function<void(Result<std::vector<handover::Resolution>>)>;
  void resolve(std::vector<std::string> paths, std::uint64_t timeout_ms, Resolved done);

 private:
  struct Question {
    std::size_t expected = 0;
    std::vector<handover::Resolution> results;
    std::unique_ptr<io::Timer> timer;
    Resolved done;
  };

  void on_message(handover::Message message);
  void on_resolved(handover::Resolved resolved);
  void end_question(std::int64_t ticket, Result<std::vector<handover::Resolution>> answer);
  void close(const Error& why);

  io::Loop& loop_;
  Host& host_;
  std::string distro_;
  bool greeted_ = false;
  bool closed_ = false;
  std::int64_t next_ticket_ = 1;
  std::map<std::int64_t, Question> questions_;
  Lifetime lifetime_;
  io::Timer hello_timer_;
  std::unique_ptr<handover::Channel> channel_;  // goes first: it calls us
};

}  // namespace causeway::shares
