// What the handler of a call is given, and the three forms of what it gives back:
//
//   Reply                     there at once
//   std::shared_ptr<Later>    one Reply, later or when the time is over
//   std::shared_ptr<Lines>    lines of JSON, until the handler's side ends them or the client goes
//
// The session owns a Later or Lines while its client is there; who answers later keeps a weak_ptr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace causeway::control {

class Session;

struct Request {
  std::string name;  // what {name} in the path stands for, decoded
  std::map<std::string, std::string, std::less<>> query;
  std::string body;

  std::string text(std::string_view parameter) const;  // empty when absent
  std::uint64_t number(std::string_view parameter, std::uint64_t otherwise) const;
};

struct Reply {
  int status = 200;
  std::string json;  // empty with 204
};
Reply refusal(int status, std::string_view message);

class Later {
 public:
  // After `limit_ms` the client gets `late`.
  Later(std::uint64_t limit_ms, Reply late) : limit_ms_(limit_ms), late_(std::move(late)) {}

  // The first reply counts.
  void reply(Reply reply);

 private:
  friend class Session;
  const std::uint64_t limit_ms_;
  const Reply late_;
  std::optional<Reply> reply_;
  Session* session_ = nullptr;  // while it waits for the reply
};

class Lines {
 public:
  // Makes the line that tells how many were left out.
  using Dropped = std::function<std::string(std::uint64_t lines)>;

  Lines() = default;
  // Of lines added by add(), at most `limit_bytes` wait for a slow client: the oldest are dropped.
  Lines(std::size_t limit_bytes, Dropped dropped)
      : limit_(limit_bytes), dropped_line_(std::move(dropped)) {}
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  // A line without its newline. Whatever is written to Lines comes in its order, and is ignored
  // behind end().
  void add(std::string line);
  // The same for what is in memory anyway: it is never dropped.
  void add_kept(std::string line);
  // Takes the place of the last such line if that was not sent yet.
  void set_newest(std::string line);
  void end();

  // Called once when the client goes before the end.
  void on_gone(std::function<void()> gone) { gone_ = std::move(gone); }

 private:
  friend class Session;
  struct Line {
    std::string text;
    bool newest = false;
  };
  void push(Line line);
  // What is to be sent next, at most about `bytes`; empty when nothing waits.
  std::string take(std::size_t bytes);
  void tell();

  std::deque<Line> queue_;
  std::size_t bytes_ = 0;
  std::optional<std::size_t> limit_;
  Dropped dropped_line_;
  std::uint64_t dropped_ = 0;
  bool ended_ = false;
  std::function<void()> gone_;
  Session* session_ = nullptr;  // while it sends them
};

using Answer = std::variant<Reply, std::shared_ptr<Later>, std::shared_ptr<Lines>>;
using Handler = std::function<Answer(const Request&)>;

}  // namespace causeway::control
