#include "engine_setup/engine_reload.h"

#include <signal.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "http_client/http_client.h"
#include "io/loop.h"
#include "io/timer.h"
#include "json/json.h"
#include "process/child_exec.h"
#include "process/pidfd.h"

namespace causeway::engine_setup {
namespace {

// filters={"type":["daemon"],"event":["reload"]}, percent-encoded (Engine API, SystemEvents).
constexpr const char* kTarget =
    "/events?filters=%7B%22type%22%3A%5B%22daemon%22%5D%2C%22event%22%3A%5B%22reload%22%5D%7D";

// What one event says of our reload; nothing: it is another event.
std::optional<Status> judge(std::string_view event, bool live_restore) {
  const auto document = json::Json::parse(event);
  if (!document || (*document)["Action"].string_or("") != "reload") return std::nullopt;
  const auto now = (*document)["Actor"]["Attributes"]["live-restore"].string_or("");
  if (now == (live_restore ? "true" : "false")) return Ok{};
  return make_error("dockerd keeps live-restore=" + now);
}

}  // namespace

Status reload_engine(const std::string& socket, const std::string& pid_file, bool live_restore,
                     std::uint64_t timeout_ms) {
  const auto content = file::read(pid_file, 64);
  if (!content) return content.error();
  const auto recorded = process::parse_pid_file(*content);
  if (!recorded) return make_error(pid_file + ": no process");
  const auto pidfd = process::open_pidfd(recorded->pid, recorded->start_time);
  if (!pidfd) return Error(pidfd.error()).with("dockerd");
  io::Loop loop;
  std::optional<Status> outcome;
  const auto end = [&](Status status) {
    if (!outcome) outcome = std::move(status);
    loop.stop();
  };
  http_client::HttpClient engine(loop, socket);
  engine.follow(
      kTarget,
      [&](std::string_view event) {
        if (auto judged = judge(event, live_restore)) end(*std::move(judged));
      },
      end,
      // dockerd listens to its events once it has sent the head.
      [&] {
        if (auto sent = process::send_signal(pidfd->get(), SIGHUP); !sent) end(std::move(sent));
      });
  io::Timer deadline(loop);
  deadline.start(timeout_ms,
                 [&] { end(make_error("dockerd did not confirm the reload in time")); });
  loop.run();
  return *std::move(outcome);
}

}  // namespace causeway::engine_setup
