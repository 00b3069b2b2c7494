#include "base/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace causeway {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= kDescriptors) return limit.rlim_cur;
  const rlimit wanted{kDescriptors, std::max<rlim_t>(limit.rlim_max, kDescriptors)};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return wanted.rlim_cur;
  // Not root: as far as it goes.
  const rlimit allowed{std::min<rlim_t>(limit.rlim_max, kDescriptors), limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &allowed) == 0 ? allowed.rlim_cur : limit.rlim_cur;
}

}  // namespace causeway
