// Carries bytes between a pair of descriptors (standard input and output) and a socket, until the
// socket's other end is through.
#pragma once

#include "base/result.h"

namespace causeway::attach {

// Blocks. The end of `in` is passed on as a half-close; the end of the socket ends it, once `out`
// has taken everything. An error when `out` takes nothing more, or reading fails. None of the three
// is closed; all may be blocking.
Status carry(int in, int out, int socket);

}  // namespace causeway::attach
