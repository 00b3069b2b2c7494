#include "base/line_limit.h"

#include <algorithm>

namespace causeway::log {

void LineLimit::refill(Kind& kind, std::uint64_t now_ms) const {
  const std::uint64_t more = (now_ms - kind.since_ms) / limits_.every_ms;
  kind.left = std::min(limits_.at_once, kind.left + more);
  kind.since_ms += more * limits_.every_ms;
}

LineLimit::Kind& LineLimit::find(std::string_view kind, std::uint64_t now_ms) {
  if (const auto found = kinds_.find(kind); found != kinds_.end()) return found->second;
  if (kinds_.size() >= limits_.kinds) {
    std::erase_if(kinds_, [&](const auto& entry) {
      return now_ms - entry.second.last_ms >= limits_.forget_ms;
    });
  }
  const Kind fresh{limits_.at_once, now_ms, now_ms, 0};
  if (kinds_.size() < limits_.kinds) return kinds_.emplace(kind, fresh).first->second;
  if (others_.since_ms == 0) others_ = fresh;
  return others_;
}

LineLimit::Verdict LineLimit::line(std::string_view kind, std::uint64_t now_ms) {
  Kind& known = find(kind, now_ms);
  refill(known, now_ms);
  known.last_ms = now_ms;
  if (known.left == 0) {
    ++known.left_out;
    return {};
  }
  --known.left;
  const Verdict verdict{true, known.left_out, known.left == 0};
  known.left_out = 0;
  return verdict;
}

}  // namespace causeway::log
