// Parser reads one HTTP/1.x message after the other from bytes, sans I/O. The grammar is
// Boost.Beast's (its basic_parser stands behind this header and appears nowhere else); in front of
// it stands a guard that refuses what two programs could read differently ("smuggling"): the engine
// must never see a request whose end we and it could place at different bytes.
//
//   head ── empty line ──▶ body ── last byte ──▶ complete ── reset() ──▶ head
//     └──────────────┴── anything refused ──▶ failed (for good: the connection has no known state)
//
// Refused, beside what is no HTTP: bare CR or LF, NUL, line folding, blanks before a colon,
// Content-Length twice or together with Transfer-Encoding, any transfer coding but exactly
// "chunked" (or on HTTP/1.0), no Host or two on HTTP/1.1, a form of target that the endpoint does
// not serve (Limits::forms), HTTP/0.9 and HTTP/2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace causeway::http {

// Which requests an endpoint serves, by the form of their target. Paths only, unless it says more:
// a look at the path must not miss what another form names.
struct Forms {
  bool origin = true;
  bool absolute = false;
  bool connect = false;  // the method, with a target "host:port"
  bool asterisk = false;
};

// Each protects the memory of this process from the peer that the parser reads. None is below what
// Go's net/http takes, and so dockerd: what dockerd serves must not fail before it.
struct Limits {
  // As Go has it: 1 MiB (DefaultMaxHeaderBytes), and 4 KiB that it reads ahead. Build arguments and
  // filters stand in the target, all of a user's registry tokens in a field. Within the head
  // neither the target nor the number of fields has a limit there, nor here unless it is set.
  std::size_t head = std::size_t{1028} * 1024;
  std::size_t target = kNone;
  std::size_t fields = kNone;
  std::size_t chunk_line = 4096;                  // as Go's: 16 digits, and extensions
  std::size_t trailers = std::size_t{16} * 1024;  // Go takes 4 KiB
  Forms forms;

  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
};

class Parser {
 public:
  enum class State { head, body, complete, failed };

  explicit Parser(Kind kind, Limits limits = {});
  ~Parser();
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;

  // Reads from `in` and says how many bytes it took. Returns at the end of the head, after each
  // piece of a body, and at the end of the message; so call it until all is taken or the message is
  // complete. Takes nothing when the message is complete. An error is final.
  Result<std::size_t> feed(std::string_view in);
  // The input has ended. Fine between messages and for a body until close, which it completes;
  // otherwise an error.
  Status finish();

  State state() const;
  bool head_done() const { return state() == State::body || state() == State::complete; }
  bool complete() const { return state() == State::complete; }
  // Whether any byte of the present message was read.
  bool started() const;
  // It failed because the head is larger than the limits: a server's 431 (RFC 6585, section 5).
  bool too_large() const;
  // Bytes of memory that the present head takes.
  std::size_t held() const;

  // The head, from head_done() until reset(). Views into the parser.
  const Head& head() const;
  // What the last feed() gave. body(): decoded content. wire(): the bytes as they came that are now
  // known to be good and that a relay may pass on (a head or a line of a chunk comes as one piece
  // when it is complete). Both are views into that call's `in` or into the parser: use them before
  // the next call.
  std::string_view body() const;
  std::string_view wire() const;

  // After the head.
  Framing framing() const;
  std::optional<std::uint64_t> content_length() const;
  bool keep_alive() const;  // as far as this message says; false when its body ends by close
  bool upgrade() const;     // "Connection: upgrade" and a field Upgrade

  // For responses, before the head is complete: the answer to HEAD has no body, whatever it says.
  void set_head_request(bool head_request);

  // Ready for the next message of the connection. Keeps a few KiB: a head that comes again, byte
  // for byte, isn't parsed again.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::http
