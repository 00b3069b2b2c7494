// Keeps a daemon from blocking on its log FIFO while no agent reads it.
#pragma once

#include <cstddef>

namespace causeway::init {

// When the FIFO `fd` is (nearly) full, takes out its oldest 64 KiB and returns how many bytes that
// were; 0 when there is room, or `fd` is no pipe. Never blocks, as long as nobody else reads the
// FIFO.
std::size_t drain_full_fifo(int fd);

}  // namespace causeway::init
