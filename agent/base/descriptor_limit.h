// How many descriptors this process may have open.
#pragma once

#include <cstdint>

namespace causeway {

// Two for each of the proxy's 4,096 clients, the pipes of raw streams, and room; also more than all
// the mounts of a distro on their way to the agent.
inline constexpr std::uint64_t kDescriptors = 65'536;

// Raises the limit to kDescriptors, or without the right as far as it goes. Never lowers it. Gives
// the limit in force; 0: it can't be read.
std::uint64_t raise_descriptor_limit();

}  // namespace causeway
