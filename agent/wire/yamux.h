// Many streams over one byte stream: yamux as its published specification has it
// (hashicorp/yamux, spec.md), without any I/O, for the agent (server) and the shim (client).
//
//   bytes from the transport ──▶ receive() ──▶ Handler: opened, data, eof, ended
//   write(), end_write(), close(), reset() ──▶ take_output() ──▶ bytes for the transport
//
// Ends of a stream. The specification leaves open what RST means behind FIN; here, on both sides:
//   FIN              half-close: no more data this way; the other way goes on
//   RST behind FIN   closed: all data was sent, the sender reads nothing any more. Deliver what has
//                    arrived, then close (close())
//   RST without FIN  aborted: drop what has arrived, cancel the other side (reset())
// A peer that only knows FIN both ways works as well: a stream ends when both FINs have passed.
//
// Output is fair: one frame of at most kFrameLimit a stream and turn, control frames first.
// Opening costs no round trip: data follow SYN at once.
// Bounds: what a stream can have received and not consumed() is its window; what it has to send is
// what its owner wrote (see queued()); a peer's SYNs, pings and control frames are limited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace causeway::wire {

inline constexpr std::size_t kFrameHeader = 12;
inline constexpr std::size_t kFrameLimit = std::size_t{32} * 1024;  // payload of a frame of ours
inline constexpr std::uint32_t kInitialWindow = 256 * 1024;         // fixed by the specification

class Yamux {
 public:
  using StreamId = std::uint32_t;  // 0 is the session
  enum class Side { client, server };
  enum class End { closed, aborted };
  enum class GoAway : std::uint32_t { normal = 0, protocol_error = 1, internal_error = 2 };

  // They protect this end's memory from its peer: nothing else uses the session.
  struct Limits {
    std::size_t streams = 4096;             // open at once, of both sides; a SYN beyond gets RST
    std::uint32_t window = kInitialWindow;  // to receive, per stream; at least kInitialWindow
    std::size_t control_frames = 4096;      // of ours that wait: more is a flood of the peer's
    std::size_t unconsumed = 64 << 20;      // received and not consumed(), of all streams: no
                                            // window is reopened above it
    StreamId last_id = UINT32_MAX;          // of the streams that are opened here
  };

  // None is called from within a call of the owner other than receive() and take_output(). Each may
  // call anything of Yamux but receive(), not destroy it, and call take_output() only from within
  // receive(): within another one its frames would stand in a wrong order.
  class Handler {
   public:
    virtual ~Handler() = default;
    // The peer opened a stream. Data may follow at once.
    virtual void on_open(StreamId stream) = 0;
    // Valid during the call. Each byte must be given back by consumed(), now or later.
    virtual void on_data(StreamId stream, std::string_view bytes) = 0;
    virtual void on_eof(StreamId stream) = 0;
    // The stream is gone, by the peer or because both FINs have passed; its number means nothing
    // afterwards. Not called for a stream that was closed or reset here.
    virtual void on_end(StreamId stream, End how) = 0;
    // queued(stream) has fallen to 0, having been above.
    virtual void on_drained(StreamId stream) = 0;
    virtual void on_pong(std::uint32_t value) = 0;
    virtual void on_go_away(GoAway reason) = 0;
  };

  // `handler` outlives the session.
  Yamux(Side side, Limits limits, Handler& handler);
  ~Yamux();
  Yamux(const Yamux&) = delete;
  Yamux& operator=(const Yamux&) = delete;

  // Bytes from the transport. An error is a violation of the protocol: GoAway is in the output, and
  // nothing else will be received; drop the transport once take_output() is empty.
  Status receive(std::string_view bytes);

  // 0 when no stream can be opened: too many, the peer has sent GoAway, or numbers are used up.
  StreamId open();
  // Queues; sent as the window allows. Ignored on a stream that is unknown or ended for writing.
  void write(StreamId stream, std::string_view bytes);
  void end_write(StreamId stream);  // FIN behind what is queued
  // FIN and RST behind what is queued. Nothing more is told of the stream; what still arrives is
  // dropped.
  void close(StreamId stream);
  void reset(StreamId stream);  // RST now; what is queued is dropped
  std::size_t queued(StreamId stream) const;
  void consumed(StreamId stream, std::size_t bytes);  // opens the peer's window again

  void ping(std::uint32_t value);  // on_pong(value) answers
  void go_away(GoAway reason);     // no more streams are accepted

  // The next frames, whole, as many as fit: at least kFrameHeader + kFrameLimit must. 0 when there
  // is nothing to send.
  std::size_t take_output(char* out, std::size_t size);
  bool has_output() const;

  std::size_t streams() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace causeway::wire
