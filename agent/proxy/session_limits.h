// What one client, and all of them together, can make the proxy hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "http/parser.h"

namespace causeway::proxy {

struct Limits {
  http::Limits http;

  // Sessions and raw streams together: two descriptors each, so 8,192 of the agent's limit, and
  // four times what Docker Desktop's users report for busy build machines. Beyond it the longest
  // idle session is closed, else connects wait in the backlog.
  std::size_t sessions = 4096;
  // Requests that may wait while the engine starts; further requests are refused at once.
  std::size_t waiting = 256;

  // A queue above this pauses the side that fills it. With one read (64 KiB) more on top, a session
  // holds at most 128 KiB for each direction.
  std::size_t queue = std::size_t{64} * 1024;
  // Bytes of a client behind the request that is being answered.
  std::size_t held = std::size_t{64} * 1024;
  // Of a request body that nobody wants any more, to be read before the answer: so a client that
  // sent a small one keeps its connection. More, and the answer is followed by a close.
  std::size_t discard = std::size_t{64} * 1024;

  // Of the body of a request with paths, which is read to its end before the engine gets it; more
  // goes to an unnamed file in `body_directory`. A create with 50 mounts has 10 KiB, one with
  // environment and labels of a large compose file 100 KiB.
  std::size_t body_in_memory = std::size_t{256} * 1024;
  std::string body_directory = "/tmp";
  // Whether services may have host paths: only without live-restore, which excludes swarm.
  bool swarm_paths = false;

  // From the first byte of a head to its end. Clients send a head in one write.
  std::uint64_t head_ms = 30'000;
  // Between requests; 0 is never, as dockerd has it. Clients keep connections for the life of a
  // tool, and closing one just as it is used costs an error. An idle one holds 2.4 KB and two
  // descriptors, their number is bounded and the longest idle makes room. And a timer that is armed
  // while nothing happens costs each request 1 us: epoll_wait arms it anew every time (measured).
  std::uint64_t idle_ms = 0;
  // Without any byte of a request body that is not complete. People pause `… | docker load` at a
  // prompt; nobody does for half an hour.
  std::uint64_t stall_ms = 1'800'000;
  // A request's wait for a starting engine: a cold start takes 2 s, a slow disk 30 s.
  std::uint64_t engine_wait_ms = 60'000;
  // The engine is called ready but refuses connections: its exit has not been reported yet.
  std::uint64_t reconnect_ms = 5'000;
  // After the last answer was sent, for the client to take notice: so that no reset destroys it.
  std::uint64_t linger_ms = 5'000;
};

}  // namespace causeway::proxy
