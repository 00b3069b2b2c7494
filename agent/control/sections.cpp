#include "control/sections.h"

#include <utility>

namespace causeway::control {

void Sections::add(std::string_view name, Writer writer) {
  sections_.push_back({std::string(name), std::move(writer)});
}

std::string Sections::json() const {
  std::string out = "{";
  for (const auto& section : sections_) {
    if (out.size() > 1) out += ',';
    out += '"' + section.name + "\":" + section.write();
  }
  return out += '}';
}

std::vector<std::string> Sections::names() const {
  std::vector<std::string> out;
  for (const auto& section : sections_) out.push_back(section.name);
  return out;
}

void Sections::changed() {
  if (std::exchange(change_pending_, true)) return;
  loop_.defer(lifetime_.guard([this] { tell(); }));
}

// A client that gets its reply may ask at once for something to wait for: so lists that grow.
void Sections::tell() {
  change_pending_ = false;
  std::erase_if(waiting_, [](const auto& entry) { return entry.client.expired(); });
  for (auto& entry : std::exchange(waiting_, {})) {
    const auto client = entry.client.lock();
    if (!client) continue;
    if (auto reply = entry.check()) {
      client->reply(*std::move(reply));
    } else {
      waiting_.push_back(std::move(entry));
    }
  }
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  if (followers_.empty()) return;
  const std::string status = json();
  for (const auto& follower : std::vector(followers_))
    if (const auto lines = follower.lock()) lines->set_newest(status);
}

Answer Sections::wait(std::function<std::optional<Reply>()> check, std::uint64_t limit_ms,
                      Reply late) {
  if (auto reply = check()) return *std::move(reply);
  auto later = std::make_shared<Later>(limit_ms, std::move(late));
  waiting_.push_back({later, std::move(check)});
  return later;
}

Answer Sections::follow() {
  auto lines = std::make_shared<Lines>();
  lines->set_newest(json());
  followers_.push_back(lines);
  return lines;
}

void Sections::add_calls(Calls& calls) {
  calls.add({"GET", "/v1/status"}, [this](const Request&) { return Reply{200, json()}; });
  Route events{"GET", "/v1/events"};
  events.lines = true;
  calls.add(std::move(events), [this](const Request&) { return follow(); });
}

}  // namespace causeway::control
