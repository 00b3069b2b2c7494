// Session is one accepted connection to the control socket: it reads requests, has them answered by
// the call's handler and writes the answers, one after the other.
//
//   request ──complete──▶ Reply  (answered at once) ──▶ request
//      │                  Later ──▶ waiting    for the reply, or its limit
//      │                  Lines ──▶ streaming  in chunks, until they end or for ever
//      └──bad, late───────────────▶ leaving    the answer is on its way, then the connection closes
//
// What it holds is bounded: a request by the limits, lines by their own (answer.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "control/answer.h"
#include "control/calls.h"
#include "http/parser.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "io/timer.h"

namespace causeway::control {

struct Limits {
  std::size_t sessions = 64;  // a status and a few followers for each of a dozen users
  // A request and its body together stay below 64 KiB; the longest real one has 200 bytes.
  std::size_t head_bytes = std::size_t{16} * 1024;
  std::size_t body_bytes = std::size_t{32} * 1024;
  std::uint64_t request_ms = 10'000;  // from the first byte of a request to its last
  std::uint64_t idle_ms = 60'000;     // between requests
  std::uint64_t answer_ms = 30'000;   // for the client to take some bytes of an answer
};

class Session final : public io::ByteStream::Handler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual const Calls& calls() const = 0;
    virtual const Limits& limits() const = 0;
    virtual void retire(Session& session) = 0;  // destroys it, later in this turn or in the next
  };

  Session(Owner& owner, io::Loop& loop, std::unique_ptr<io::ByteStream> connection);
  ~Session() override;

  // The answer that was given has its reply now, or more lines, or their end.
  void replied();
  void lines_changed();

  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_read_error(const Error& error) override;
  void on_write_error(const Error& error) override;

 private:
  enum class Phase { request, waiting, streaming, leaving };

  void consume();
  void handle();
  void take(const Reply& reply);
  void take(std::shared_ptr<Later> later);
  void take(std::shared_ptr<Lines> lines);
  void answer(const Reply& reply, std::string_view allow = {});
  void refuse(int status, std::string_view message);  // and close
  void pump();
  void end_stream();
  void next_request();
  void leave();
  void let_go();  // of what was to answer
  void retire();

  Owner& owner_;
  http::Parser parser_;
  Phase phase_ = Phase::request;
  std::string unread_;  // what came behind the request that is being answered
  std::string body_;
  bool keep_alive_ = true;
  bool retired_ = false;

  std::shared_ptr<Later> later_;  // while waiting
  std::shared_ptr<Lines> lines_;  // while streaming

  io::Timer deadline_;
  std::unique_ptr<io::ByteStream> stream_;  // last: stops first
};

}  // namespace causeway::control
