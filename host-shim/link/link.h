// Link does what link_state decides: it runs attach, dials, keeps the LinkClient, and tells who
// wants a stream when there is a link.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "link/attach_process.h"
#include "link/link_client.h"
#include "link/link_state.h"
#include "link/socket_dial.h"
#include "shim_settings.h"
#include "shim_status.h"
#include "windows/completion_port.h"

namespace causeway::shim::link {

class Link : private AttachProcess::Handler, private LinkClient::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void link_changed() = 0;  // another phase
    virtual void link_opened(wire::Channel channel, std::unique_ptr<LinkChannel> stream) = 0;
  };

  // All outlive it.
  Link(CompletionPort& port, const ShimSettings& settings,
       const std::function<void(log::Level, std::string_view)>& log, Owner& owner);
  ~Link() override;

  void start() { take({LinkEventKind::start}); }
  void stop() { take({LinkEventKind::stop}); }
  void resumed() { take({LinkEventKind::resumed}); }

  LinkPhase phase() const { return state_.phase; }
  // Null: there is no link, or it can't carry another stream.
  std::unique_ptr<LinkChannel> open(wire::Channel channel);
  void fill(ShimStatus& status) const;

 private:
  // attach
  void on_line(const wire::AttachLine& line) override;
  void on_bad_line(const std::string& reason) override;
  void on_end(const std::string& reason) override;
  void on_said(const std::string& line) override;
  // the link
  void on_up() override;
  void on_down(const std::string& reason) override;
  void on_opened(wire::Channel channel, std::unique_ptr<LinkChannel> stream) override;

  void take(const LinkEvent& event);
  void run(const LinkAction& action);
  void start_attach();
  void dial();
  void greet();
  void keep(std::unique_ptr<Transport> transport);
  void drop_link();
  void step_clock();
  // In the next turn: an action reports nothing while it is begun.
  void take_soon(LinkEvent event);
  std::string why_not_direct() const;
  const char* direct_name() const { return settings_.tcp.empty() ? "hvsocket" : "tcp"; }

  CompletionPort& port_;
  const ShimSettings& settings_;
  const std::function<void(log::Level, std::string_view)>& log_;
  Owner& owner_;
  const LinkTimes times_;
  LinkState state_;
  bool taking_ = false;
  std::deque<LinkEvent> events_;
  std::mt19937 random_;
  wire::AttachLine line_;
  wire::Nonce linked_nonce_{};  // of the agent of the present link
  std::uint32_t attach_starts_ = 0;
  std::uint64_t links_ = 0;
  std::string last_end_;
  std::deque<std::string> last_lines_;
  std::uint64_t attempt_ = 0;  // events of an earlier one are stale
  Timer timer_;
  std::unique_ptr<AttachProcess> attach_;
  std::unique_ptr<SocketDial> dial_;
  std::unique_ptr<LinkClient> client_;
  Lifetime lifetime_;  // the last: ends first
};

}  // namespace causeway::shim::link
