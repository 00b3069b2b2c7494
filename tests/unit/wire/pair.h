// Two yamux sessions back to back, with what each was told.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "wire/yamux.h"

namespace causeway::wire::testing {

using Id = Yamux::StreamId;

// Takes everything and, unless told otherwise, consumes it at once.
struct Peer : Yamux::Handler {
  explicit Peer(Yamux::Side side, Yamux::Limits limits = {}) : session(side, limits, *this) {}

  void on_open(Id id) override {
    opened.push_back(id);
    if (opening) opening(id);
  }
  void on_data(Id id, std::string_view bytes) override {
    data[id].append(bytes);
    largest_piece = std::max(largest_piece, bytes.size());
    if (consume) session.consumed(id, bytes.size());
    if (arrived) arrived(id, bytes);
  }
  void on_eof(Id id) override {
    log += "eof " + std::to_string(id) + "\n";
    if (ended_writing) ended_writing(id);
  }
  void on_end(Id id, Yamux::End how) override {
    log += (how == Yamux::End::closed ? "closed " : "aborted ") + std::to_string(id) + "\n";
  }
  void on_drained(Id id) override {
    ++drained[id];
    if (empty) empty(id);
  }
  void on_pong(std::uint32_t value) override { log += "pong " + std::to_string(value) + "\n"; }
  void on_go_away(Yamux::GoAway reason) override {
    log += "farewell " + std::to_string(static_cast<unsigned>(reason)) + "\n";
  }

  std::string output(std::size_t size = 256 * 1024) {
    std::string out(size, '\0');
    out.resize(session.take_output(out.data(), size));
    return out;
  }
  // What is received; the error's text, or nothing.
  std::string feed(std::string_view bytes) {
    auto done = session.receive(bytes);
    return done ? "" : done.error().message;
  }

  std::vector<Id> opened;
  std::map<Id, std::string> data;
  std::map<Id, int> drained;
  std::size_t largest_piece = 0;
  std::string log;
  bool consume = true;
  std::function<void(Id)> opening;
  std::function<void(Id, std::string_view)> arrived;
  std::function<void(Id)> ended_writing;
  std::function<void(Id)> empty;
  Yamux session;
};

// Carries output both ways until there is none. Both must stay content.
inline void settle(Peer& a, Peer& b) {
  for (;;) {
    const std::string to_b = a.output();
    const std::string to_a = b.output();
    if (to_a.empty() && to_b.empty() && !a.session.has_output() && !b.session.has_output()) return;
    CHECK(b.feed(to_b) == "");
    CHECK(a.feed(to_a) == "");
  }
}

// A frame as the specification draws it.
inline std::string frame(unsigned type, unsigned flags, std::uint32_t stream, std::uint32_t length,
                         std::string_view payload = {}) {
  std::string out;
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      out += static_cast<char>(value >> shift);
  };
  put(0, 1);
  put(type, 1);
  put(flags, 2);
  put(stream, 4);
  put(length, 4);
  return out.append(payload);
}
inline std::string data_frame(std::uint32_t stream, std::string_view payload, unsigned flags = 0) {
  return frame(0, flags, stream, static_cast<std::uint32_t>(payload.size()), payload);
}

inline constexpr unsigned kSyn = 1;
inline constexpr unsigned kAck = 2;
inline constexpr unsigned kFin = 4;
inline constexpr unsigned kRst = 8;

}  // namespace causeway::wire::testing
