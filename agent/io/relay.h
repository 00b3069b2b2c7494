// Relay does for two ByteStreams what Splice does for two descriptors: bytes as they are, until
// both directions have ended.
//
// A direction ends when its FIN was sent behind its last byte, or when its receiver is gone: what
// its sender still says is read and dropped then. Both ended: `ended` is called, once, and may
// destroy the Relay. A side that aborts (ECONNABORTED) ends both at once. A receiver that takes
// nothing pauses the sender; what is held for it is `limit` and one read.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/lifetime.h"
#include "io/byte_stream.h"
#include "io/loop.h"

namespace causeway::io {

class Relay {
 public:
  static constexpr std::size_t kLimit = std::size_t{64} * 1024;

  // The streams may have bytes queued, their ends read, and be paused for whatever reason.
  Relay(Loop& loop, std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b,
        std::function<void()> ended, std::size_t limit = kLimit);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

 private:
  // One side, and the direction from it to the other.
  struct Side : ByteStream::Handler {
    void on_data(std::string_view bytes) override { relay->data(*this, bytes); }
    void on_eof() override { relay->eof(*this); }
    void on_drained() override { relay->drained(*this); }
    void on_read_error(const Error& error) override { relay->lost(*this, error); }
    void on_write_error(const Error&) override { relay->deaf(*this); }

    Relay* relay = nullptr;
    Side* other = nullptr;
    bool eof_read = false;
    bool finished = false;
    std::unique_ptr<ByteStream> stream;  // last: stops first
  };

  void begin();
  void data(Side& from, std::string_view bytes);
  void eof(Side& from);
  void drained(Side& to);
  void lost(Side& side, const Error& error);
  void deaf(Side& to);
  bool end_if_finished();

  const std::size_t limit_;
  std::function<void()> ended_;
  Lifetime lifetime_;
  std::array<Side, 2> sides_;
};

}  // namespace causeway::io
