// TCP on the loopback, instead of hvsocket: for development, and for tests where no hvsocket is.
#pragma once

#include <string_view>

#include "base/result.h"
#include "link/socket_dial.h"

namespace causeway::shim::link {

// "127.0.0.1:PORT"; no other address: the link has no secret but its nonce.
Result<SocketTarget> tcp_target(std::string_view address);

}  // namespace causeway::shim::link
