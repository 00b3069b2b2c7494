// What settings.json says about the link to Windows.
#pragma once

#include <cstdint>

#include "json/json.h"

namespace causeway::link {

// Whether the link listens on AF_VSOCK. automatic: on a kernel of WSL only.
enum class Vsock { automatic, on, off };

struct Settings {
  Vsock vsock = Vsock::automatic;
  // The TCP port on 127.0.0.1, for development; 0: none.
  std::uint16_t tcp_port = 0;
  // From where connections on AF_VSOCK are taken: 2 is the host, Windows. Another for tests only.
  std::int64_t peer_cid = 2;
  bool operator==(const Settings&) const = default;
};

void read_settings(json::ObjectReader& file, Settings& out);

}  // namespace causeway::link
