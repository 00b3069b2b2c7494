#include "daemon/log_relay.h"

#include <algorithm>
#include <utility>

namespace causeway::daemon {
namespace {

// More than the supervisor keeps in memory of a few services at 100 bytes a line; 16 KiB.
constexpr std::size_t kOrderLines = 8192;
constexpr std::uint16_t kGone = 0xffff;  // in an order: a service that isn't among those asked for

}  // namespace

std::vector<control_api::LogLine> merge_lines(std::vector<KeptLines> kept,
                                              const std::deque<std::uint16_t>& order,
                                              std::size_t tail) {
  std::vector<control_api::LogLine> newest_first;
  auto take_last = [&](KeptLines& from) {
    newest_first.push_back({from.service, std::move(from.lines.back())});
    from.lines.pop_back();
  };
  for (auto at = order.rbegin(); at != order.rend() && newest_first.size() < tail; ++at)
    if (*at < kept.size() && !kept[*at].lines.empty()) take_last(kept[*at]);
  for (auto from = kept.rbegin(); from != kept.rend(); ++from)
    while (!from->lines.empty() && newest_first.size() < tail) take_last(*from);
  std::reverse(newest_first.begin(), newest_first.end());
  return newest_first;
}

LogRelay::LogRelay(supervise::Supervisor& supervisor, Line line)
    : supervisor_(supervisor), line_(std::move(line)) {
  refresh();
}

void LogRelay::refresh() {
  const auto names = supervisor_.names();
  std::erase_if(sources_, [&](const auto& entry) {
    return std::find(names.begin(), names.end(), entry.first) == names.end();
  });
  for (const auto& name : names) {
    auto& source = sources_[name];
    if (source.subscription) continue;
    if (source.number == 0) source.number = ++next_number_;
    auto subscription = supervisor_.follow(name, [this, name, &source](std::string_view line) {
      ++source.seen;
      order_.push_back(source.number);
      if (order_.size() > kOrderLines) order_.pop_front();
      line_(name, line);
    });
    // Without a log there is nothing to follow; the next change is the next try.
    if (subscription) source.subscription = *std::move(subscription);
  }
}

std::vector<std::string> LogRelay::lines_of(const std::string& name, const Source& source,
                                            std::size_t tail, bool fresh) const {
  if (fresh) tail = std::min<std::size_t>(tail, source.seen);
  auto lines = supervisor_.logs(name, tail);
  return lines ? *std::move(lines) : std::vector<std::string>();
}

std::vector<control_api::LogLine> LogRelay::last(std::string_view service, std::size_t tail,
                                                 bool fresh) const {
  std::vector<KeptLines> kept;
  std::map<std::uint16_t, std::uint16_t> indexes;  // a source's number to its index in `kept`
  for (const auto& [name, source] : sources_) {
    if (!service.empty() && name != service) continue;
    indexes[source.number] = static_cast<std::uint16_t>(kept.size());
    kept.push_back({name, lines_of(name, source, tail, fresh)});
  }
  std::deque<std::uint16_t> order;
  for (const auto number : order_) {
    const auto index = indexes.find(number);
    order.push_back(index == indexes.end() ? kGone : index->second);
  }
  return merge_lines(std::move(kept), order, tail);
}

}  // namespace causeway::daemon
