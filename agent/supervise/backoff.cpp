#include "supervise/backoff.h"

#include <algorithm>

namespace causeway::supervise {

std::uint64_t backoff_ms(unsigned attempt, std::uint64_t base_ms, std::uint64_t most_ms,
                         double chance) {
  std::uint64_t delay = std::min(base_ms, most_ms);
  for (unsigned i = 0; i < attempt && delay < most_ms; ++i) delay = std::min(delay * 2, most_ms);
  return delay - static_cast<std::uint64_t>(static_cast<double>(delay) / 4 * chance);
}

}  // namespace causeway::supervise
