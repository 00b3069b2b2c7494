// HttpClient asks a server on a unix socket, such as dockerd on its own one: one connection for a
// call, never blocking the loop. Answers are small documents; they are bounded in size, and in time
// unless the caller waits for as long as it takes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/lifetime.h"
#include "base/result.h"
#include "io/loop.h"

namespace causeway::http_client {

struct Reply {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  using Done = std::function<void(Result<Reply>)>;

  // `loop` must outlive it. Calls under way when it goes are dropped without their `done`; a `done`
  // may destroy it.
  HttpClient(io::Loop& loop, std::string socket_path);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `target` with its query, percent-encoded by the caller. An error: no connection (with the code
  // of connect(2)), no whole answer within `limit_ms` (0: no limit), or one larger than kMostBody.
  // `done` is never called within the call.
  void call(std::string_view method, const std::string& target, std::uint64_t limit_ms, Done done);

  // A GET whose answer comes line by line, without an end in time: /events. `begun` is called once
  // when the head of a 200 answer is there; `on_line` gets each line of it; `ended` is called once,
  // when nothing more comes or nothing came. Each may end it: unfollow().
  using Begun = std::function<void()>;
  using OnLine = std::function<void(std::string_view line)>;
  using Ended = std::function<void(const Error& why)>;
  std::uint64_t follow(const std::string& target, OnLine on_line, Ended ended, Begun begun = {});
  void unfollow(std::uint64_t id);

  // The list of ten thousand containers has 20 MiB.
  static constexpr std::size_t kMostBody = std::size_t{64} << 20;

 private:
  class Call;
  class Follower;
  void finish(std::uint64_t id, Result<Reply> result);
  void end_follower(std::uint64_t id, const Error& why);

  io::Loop& loop_;
  const std::string socket_path_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Call>> calls_;
  std::map<std::uint64_t, std::unique_ptr<Follower>> followers_;
  Lifetime lifetime_;
};

}  // namespace causeway::http_client
