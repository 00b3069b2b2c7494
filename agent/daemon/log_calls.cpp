#include "daemon/log_calls.h"

#include <utility>

namespace causeway::daemon {
namespace {

// A follower that wants all that is kept may ask for it: the rings in memory are smaller than this.
constexpr std::uint64_t kMaxTail = 100'000;

}  // namespace

LogCalls::LogCalls(control::Api& api, LogSource source) : source_(std::move(source)) {
  control::Route route{
      "GET", "/v1/logs", {{"service"}, {"tail", 0, kMaxTail}, {"follow", 0, 1}, {"fresh", 0, 1}}};
  route.lines = true;
  api.calls.add(std::move(route),
                [this](const control::Request& request) { return answer(request); });
}

control::Answer LogCalls::answer(const control::Request& request) {
  const std::string service = request.text("service");
  if (!service.empty() && !source_.has_service(service))
    return control::refusal(404, "no such service: " + service);
  const bool follow = request.number("follow", 0) == 1;
  auto lines = std::make_shared<control::Lines>(
      source_.follower_bytes,
      [service](std::uint64_t dropped) { return control_api::dropped_json(service, dropped); });
  const auto tail = request.number("tail", follow ? 100 : 1000);
  for (const auto& line : source_.last(service, tail, request.number("fresh", 0) == 1))
    lines->add_kept(to_json(line));
  if (!follow) {
    lines->end();
    return lines;
  }
  std::erase_if(followers_, [](const auto& follower) { return follower.lines.expired(); });
  followers_.push_back({service, lines});
  return lines;
}

// To write to a client may be its end; nobody comes meanwhile.
void LogCalls::line(std::string_view service, std::string_view line) {
  if (followers_.empty()) return;
  const std::string json = to_json(control_api::LogLine{std::string(service), std::string(line)});
  for (const auto& follower : followers_)
    if (follower.service.empty() || follower.service == service)
      if (const auto lines = follower.lines.lock()) lines->add(json);
}

}  // namespace causeway::daemon
