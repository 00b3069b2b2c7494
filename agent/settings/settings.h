// Settings are causeway's own, from ETC/settings.json: strict, and all optional.
//
//   {"live_restore": true, "log": {"max_bytes": 10485760, "files": 3}, "host_setup": true,
//    "link": {"vsock": "auto", "tcp": "127.0.0.1:4857"}}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::settings {

// Whether the link to Windows listens on AF_VSOCK. automatic: on a kernel of WSL only.
enum class LinkVsock { automatic, on, off };

struct Settings {
  // Containers outlive dockerd. Off for swarm, which refuses it.
  bool live_restore = true;
  // Of each service's log file.
  std::int64_t log_max_bytes = 10 * 1024 * 1024;
  std::int64_t log_files = 3;
  // Kernel settings and modules are raised and loaded before dockerd starts. Off where the kernel
  // is somebody else's.
  bool host_setup = true;
  LinkVsock link_vsock = LinkVsock::automatic;
  // The link's TCP port on 127.0.0.1, for development; 0: none.
  std::uint16_t link_tcp_port = 0;
  // From where connections on AF_VSOCK are taken: 2 is the host, Windows. Another for tests only.
  std::int64_t link_peer_cid = 2;
  bool operator==(const Settings&) const = default;
};

Result<Settings> parse_settings(std::string_view content);

// A missing file means the defaults. Errors name the file.
Result<Settings> load_settings(const std::string& path);

}  // namespace causeway::settings
