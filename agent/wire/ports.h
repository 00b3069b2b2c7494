// Numbers that the agent and the Windows shim must agree on.
#pragma once

#include <cstdint>

namespace causeway::wire {

// The vsock port of the link. Its hvsocket service GUID is the port as eight hex digits before
// "-facb-11e6-bd58-64006a7986d3" (Linux, hyperv_transport.c), which allows ports up to 0x7fffffff.
// WSL itself uses 50000 to 50005.
inline constexpr std::uint32_t kLinkPort = 0x43570001;

// The first byte of each stream, sent by who opens it: what the stream is for.
enum class Channel : std::uint8_t {
  engine = 1,        // shim → agent: the Docker API, identity `windows`
  control = 2,       // shim → agent: the control API
  distro_start = 3,  // agent → shim: one JSON line names a distro, one JSON line answers
  // Reserved: 4 is proxy-resolve, 5 is update. Anything else is answered with RST.
};

}  // namespace causeway::wire
