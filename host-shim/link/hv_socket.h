// hvsocket (AF_HYPERV): the agent's AF_VSOCK listener as seen from Windows, addressed by the VM's
// GUID and a service GUID that is made of the port. The way to connect is that of WSL's own code
// (microsoft/WSL, src/windows/common/hvsocket.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "link/socket_dial.h"

namespace causeway::shim::link {

// With or without braces, either case; nothing else.
std::optional<GUID> parse_guid(std::string_view text);
// The port as eight hex digits before -facb-11e6-bd58-64006a7986d3; ports up to 0x7fffffff
// (Linux, hyperv_transport.c).
std::optional<GUID> service_guid(std::uint32_t port);

// An error: there can be no such address.
Result<SocketTarget> hv_target(std::string_view vm_id, std::uint32_t port,
                               std::uint32_t timeout_ms);

}  // namespace causeway::shim::link
