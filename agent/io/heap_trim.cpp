#include "io/heap_trim.h"

#include <malloc.h>

#include <utility>

namespace causeway::io {
namespace {
constexpr std::uint64_t kDelayMs = 1'000;
}  // namespace

void HeapTrim::soon() {
  if (std::exchange(armed_, true)) return;
  timer_.start(kDelayMs, [this] {
    armed_ = false;
    ::malloc_trim(0);
  });
}

}  // namespace causeway::io
