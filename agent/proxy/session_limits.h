// What one client, each endpoint and all of them together can make the proxy hold. Beside each
// limit stands whom it protects from whom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "http/parser.h"
#include "proxy/quota.h"

namespace causeway::proxy {

struct Limits {
  http::Limits http;

  // Over all endpoints, with a reserve for each (see Quota): these protect the clients of one from
  // those of another, and the agent from all.
  //
  // Sessions and raw streams together: two descriptors each, so 8,192 of the agent's limit, and
  // four times what Docker Desktop's users report for busy build machines. Beyond it the longest
  // idle session is closed, then one whose request has stalled; else connects wait in the backlog.
  std::size_t sessions = 4096;
  std::size_t sessions_reserve = 64;
  // Requests that may wait while the engine starts; further requests are refused at once. A wait
  // costs as little as an idle session: the limit keeps a starting engine from a rush.
  std::size_t waiting = 256;
  std::size_t waiting_reserve = 16;
  // Bytes that sessions hold beyond a few KiB each: heads, bodies that may be edited, what is found
  // in them, queues. When half of it is taken queues get no more than a read; when there is no room
  // a body goes to disk, and another session ends: that is when some 1,500 clients don't read.
  std::uint64_t memory = std::uint64_t{128} << 20;
  std::uint64_t memory_reserve = std::uint64_t{4} << 20;
  // Bytes of bodies in files. Also the most that one body may have; dockerd's own limit is its
  // memory, and real bodies have 10 KiB to 1 MiB.
  std::uint64_t disk = std::uint64_t{1} << 30;
  std::uint64_t disk_reserve = std::uint64_t{64} << 20;

  // For each session. They protect the others' share of `memory` from a client that reads or
  // writes at another speed than the engine.
  //
  // A queue above this pauses the side that fills it. With one read (64 KiB) more on top, a session
  // holds at most 128 KiB for each direction.
  std::size_t queue = std::size_t{64} * 1024;
  // Bytes of a client behind the request that is being answered.
  std::size_t held = std::size_t{64} * 1024;
  // Held for nothing: what a session with usual requests and a client that reads has for a moment.
  std::size_t free_memory = std::size_t{8} * 1024;
  // Of a request body that nobody wants any more, to be read before the answer: so a client that
  // sent a small one keeps its connection, as with Go (maxPostHandlerReadBytes). More, and the
  // answer is followed by a close.
  std::size_t discard = std::size_t{256} * 1024;

  // Of the body of a request that may be edited, which is read to its end before the engine gets
  // it; more goes to an unnamed file in `body_directory`. A create with 50 mounts has 10 KiB, one
  // with environment and labels of a large compose file 100 KiB.
  std::size_t body_in_memory = std::size_t{256} * 1024;
  std::string body_directory = "/tmp";

  // Times protect the places of other clients of the same endpoint.
  //
  // From the first byte of a head to its end: dockerd's ReadHeaderTimeout. One that stalls gives
  // way sooner when others wait.
  std::uint64_t head_ms = 300'000;
  // Between requests; 0 is never, as dockerd has it. Clients keep connections for the life of a
  // tool, and closing one just as it is used costs an error. An idle one holds 2.4 KB and two
  // descriptors, their number is bounded and the longest idle makes room. And a timer that is armed
  // while nothing happens costs each request 1 us: epoll_wait arms it anew every time (measured).
  std::uint64_t idle_ms = 0;
  // Without any byte of a request body that is not complete. People pause `… | docker load` at a
  // prompt; nobody does for half an hour.
  std::uint64_t stall_ms = 1'800'000;
  // The same when others wait for a place: without this many bytes in that time a request that
  // isn't complete gives way.
  std::uint64_t pressed_ms = 10'000;
  std::size_t pressed_bytes = 1024;
  // A request's wait for a starting engine: a cold start takes 2 s, a slow disk 30 s.
  std::uint64_t engine_wait_ms = 60'000;
  // The engine is called ready but refuses connections: its exit has not been reported yet.
  std::uint64_t reconnect_ms = 5'000;
  // After the last answer was sent, for the client to take notice: so that no reset destroys it.
  std::uint64_t linger_ms = 5'000;
};

// What all sessions share, with each endpoint as a holder.
struct Quotas {
  explicit Quotas(const Limits& limits)
      : places(limits.sessions, limits.sessions_reserve),
        waiting(limits.waiting, limits.waiting_reserve),
        memory(limits.memory, limits.memory_reserve),
        disk(limits.disk, limits.disk_reserve) {}

  void add(Quota::Holder endpoint) {
    for (Quota* const quota : {&places, &waiting, &memory, &disk}) quota->add(endpoint);
  }
  void remove(Quota::Holder endpoint) {
    for (Quota* const quota : {&places, &waiting, &memory, &disk}) quota->remove(endpoint);
  }

  Quota places;  // sessions and raw streams
  Quota waiting;
  Quota memory;
  Quota disk;
};

}  // namespace causeway::proxy
