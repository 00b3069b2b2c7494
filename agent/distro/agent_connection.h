// The helper's connection to the agent: looked for, made, and made again, by event.
//
//   waiting ── share.sock appears, or is touched ──▶ greeting ── welcome ──▶ talking
//      ▲  ▲                                             │ refused               │ the agent ended
//      │  └─────────── said no ─────────────────────────┘                       │
//      └── at once; after a rest, when it was a short connection ◀──────────────┘
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "handover/channel.h"
#include "handover/message.h"
#include "io/loop.h"
#include "io/path_watch.h"
#include "io/timer.h"

namespace causeway::distro {

class AgentConnection {
 public:
  // None is called from within a call of the owner, but hello().
  class Host {
   public:
    virtual ~Host() = default;
    // The first message of a connection, with the pidfd; an error is logged and ends the try.
    virtual Result<handover::Message> hello() = 0;
    virtual void on_welcome() = 0;
    // After the welcome; only what an agent says.
    virtual void on_message(handover::Message message) = 0;
    // The distro is disabled. Only this refusal is told: others end when something changes.
    virtual void on_unwanted(const std::string& reason) = 0;
    virtual void on_lost() = 0;  // after on_welcome()
  };

  AgentConnection(io::Loop& loop, Host& host);

  // <wsl> in this distro, empty when there is none (yet). To be called once to begin, and when
  // mounts changed.
  void look(const std::string& wsl);

  bool talking() const { return state_ == State::talking; }
  // Ignored when not talking.
  void send(handover::Body body, UniqueFd fd = {});
  // Ends this connection and makes a new one.
  void renew();
  // Ends everything when all is sent: `ended` is called, and nothing else from now on.
  void finish(std::function<void()> ended);

 private:
  enum class State { waiting, greeting, talking, finished };
  void attempt();
  Status connect();
  void on_message(handover::Message message);
  void on_closed(const Error& why);
  void rest();

  io::Loop& loop_;
  Host& host_;
  State state_ = State::waiting;
  std::string wsl_;
  std::string last_error_;  // told once
  std::function<void()> ended_;
  std::uint64_t connected_ms_ = 0;
  std::uint64_t rest_ms_ = 0;  // the next rest's length
  io::Timer rest_timer_;
  std::unique_ptr<io::PathWatch> watch_;
  std::unique_ptr<handover::Channel> channel_;
  Lifetime lifetime_;
};

}  // namespace causeway::distro
