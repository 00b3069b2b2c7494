#include "engine_setup/engine_reload.h"

#include <signal.h>

#include <optional>
#include <utility>

#include "base/file.h"
#include "http/parser.h"
#include "http/writer.h"
#include "io/endpoint.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "json/json.h"
#include "process/child_exec.h"
#include "process/pidfd.h"

namespace causeway::engine_setup {
namespace {

// filters={"type":["daemon"],"event":["reload"]}, percent-encoded (Engine API, SystemEvents).
constexpr const char* kTarget =
    "/events?filters=%7B%22type%22%3A%5B%22daemon%22%5D%2C%22event%22%3A%5B%22reload%22%5D%7D";

class ReloadWait : public io::Stream::Handler {
 public:
  ReloadWait(io::Loop& loop, UniqueFd connection, int pidfd, bool live_restore)
      : loop_(loop),
        pidfd_(pidfd),
        live_restore_(live_restore),
        stream_(loop, std::move(connection), this) {
    http::Request request;
    request.target = kTarget;
    request.keep_alive = true;
    stream_.write(http::write(request));
    stream_.resume(io::Stream::not_started);
  }

  void on_data(std::string_view bytes) override {
    while (!bytes.empty() && !outcome) {
      const bool had_head = parser_.head_done();
      const auto taken = parser_.feed(bytes);
      if (!taken) return end(taken.error());
      bytes.remove_prefix(*taken);
      if (!had_head && parser_.head_done()) subscribed();
      body_ += parser_.body();
      if (*taken == 0) break;
    }
    take_events();
  }
  void on_eof() override { end(make_error("dockerd closed its event stream")); }
  void on_drained() override {}
  void on_read_error(const Error& error) override { end(error); }
  void on_write_error(const Error& error) override { end(error); }

  std::optional<Status> outcome;

 private:
  // dockerd listens to its events once it has sent the head.
  void subscribed() {
    if (parser_.head().status != 200)
      return end(make_error("dockerd answered " + std::to_string(parser_.head().status)));
    if (auto sent = process::send_signal(pidfd_, SIGHUP); !sent) end(std::move(sent).error());
  }

  // One JSON object a line.
  void take_events() {
    for (auto newline = body_.find('\n'); newline != std::string::npos && !outcome;
         newline = body_.find('\n')) {
      const auto event = json::Json::parse(std::string_view(body_).substr(0, newline));
      body_.erase(0, newline + 1);
      if (!event || (*event)["Action"].string_or("") != "reload") continue;
      const auto now = (*event)["Actor"]["Attributes"]["live-restore"].string_or("");
      end(now == (live_restore_ ? "true" : "false")
              ? Status(Ok{})
              : Status(make_error("dockerd keeps live-restore=" + now)));
    }
  }

  void end(Status status) {
    if (!outcome) outcome = std::move(status);
    loop_.stop();
  }

  io::Loop& loop_;
  int pidfd_;
  bool live_restore_;
  http::Parser parser_{http::Kind::response};
  std::string body_;
  io::Stream stream_;
};

}  // namespace

Status reload_engine(const std::string& socket, const std::string& pid_file, bool live_restore,
                     std::uint64_t timeout_ms) {
  const auto content = file::read(pid_file, 64);
  if (!content) return content.error();
  const auto recorded = process::parse_pid_file(*content);
  if (!recorded) return make_error(pid_file + ": no process");
  const auto pidfd = process::open_pidfd(recorded->pid, recorded->start_time);
  if (!pidfd) return Error(pidfd.error()).with("dockerd");
  auto connection = io::connect_unix(socket);
  if (!connection) return std::move(connection).error();
  io::Loop loop;
  ReloadWait wait(loop, std::move(*connection), pidfd->get(), live_restore);
  io::Timer deadline(loop);
  deadline.start(timeout_ms, [&] {
    if (!wait.outcome) wait.outcome = make_error("dockerd did not confirm the reload in time");
    loop.stop();
  });
  loop.run();
  return *std::move(wait.outcome);
}

}  // namespace causeway::engine_setup
