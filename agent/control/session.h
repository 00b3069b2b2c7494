// Session is one accepted connection to the control socket: it reads requests and writes answers,
// one after the other.
//
//   request ──complete──▶ (answered at once) ──▶ request
//      │                  ├──▶ waiting    for a service to reach its state; then one answer
//      │                  ├──▶ streaming  log lines or events, in chunks, until the end or for ever
//      └──bad, late───────┴──▶ leaving    the answer is on its way, then the connection closes
//
// Everything it holds is bounded: a request by the limits, a follower's backlog by dropping its
// oldest lines (it is told how many), events by sending only the newest status.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "control/backend.h"
#include "control/routes.h"
#include "http/parser.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "io/timer.h"

namespace causeway::control {

struct Limits {
  std::size_t sessions = 64;  // a status and a few followers for each of a dozen users
  // A request and its body together stay below 64 KiB; the longest real one has 200 bytes.
  std::size_t head_bytes = 16 * 1024;
  std::size_t body_bytes = 32 * 1024;
  std::uint64_t request_ms = 10'000;  // from the first byte of a request to its last
  std::uint64_t idle_ms = 60'000;     // between requests
  std::uint64_t answer_ms = 30'000;   // for the client to take some bytes of an answer
  std::uint64_t wait_s = 120;  // `wait=1` without a timeout_s: longer than any stop rule of ours
  // Lines that wait for a slow follower: half a second of a build that prints without pause.
  std::size_t follower_bytes = 256 * 1024;
};

class Session final : public io::ByteStream::Handler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual ControlBackend& backend() = 0;
    virtual const Limits& limits() const = 0;
    virtual void retire(Session& session) = 0;  // destroys it, later in this turn or in the next
  };

  Session(Owner& owner, io::Loop& loop, std::unique_ptr<io::ByteStream> connection);

  // The product's status is now `status`, `body` as JSON.
  void status_changed(const control_api::ProductStatus& status, const std::string& body);
  bool follows_status() const { return phase_ == Phase::waiting || events_; }
  // A service has printed a line.
  void log_line(std::string_view service, std::string_view line);

  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_read_error(const Error& error) override;
  void on_write_error(const Error& error) override;

 private:
  enum class Phase { request, waiting, streaming, leaving };

  void consume();
  void handle();
  void act(const Match& match);
  void enable_distro(const Match& match, bool enabled);
  void step_clock();
  void start_logs(const Match& match);
  void start_events();
  void answer(int status, std::string_view body, std::string_view allow = {});
  void refuse(int status, std::string_view message);  // and close
  void check_wait(const control_api::ProductStatus& status);
  bool start_stream();
  void queue_line(std::string line);
  void pump();
  void end_stream();
  void next_request();
  void leave();
  void retire();

  Owner& owner_;
  http::Parser parser_;
  Phase phase_ = Phase::request;
  std::string unread_;  // what came behind the request that is being answered
  std::string body_;
  bool keep_alive_ = true;
  bool retired_ = false;

  // waiting
  control_api::Action action_ = control_api::Action::start;
  std::string awaited_;

  // streaming
  bool events_ = false;
  bool follow_ = false;
  std::string followed_;  // a service, or empty for all
  std::deque<std::string> lines_;
  std::size_t lines_bytes_ = 0;
  std::size_t lines_limit_ = 0;
  std::uint64_t dropped_ = 0;
  std::string newest_status_;

  io::Timer deadline_;
  std::unique_ptr<io::ByteStream> stream_;  // last: stops first
};

}  // namespace causeway::control
