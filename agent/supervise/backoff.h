// How long to wait before the next try: doubling from `base_ms` up to `most_ms`, less up to a
// quarter of it by chance, so that services that failed together don't come back together.
#pragma once

#include <cstdint>

namespace causeway::supervise {

// `attempt` counts from 0; `chance` is in [0, 1).
std::uint64_t backoff_ms(unsigned attempt, std::uint64_t base_ms, std::uint64_t most_ms,
                         double chance);

}  // namespace causeway::supervise
