// The address of a unix socket as dockerd's log drivers read it (syslog, fluentd): an URL, taken
// apart by Go's url.Parse. "unix:///run/x", "unixgram:///run/x"; a host in it counts for nothing.
#pragma once

#include <optional>
#include <string_view>

namespace causeway::engine_api {

struct UnixAddress {
  std::string_view lead;  // "unix://", with a host that may be there
  std::string_view path;  // begins with a slash
};
// Nothing for other addresses, and for one that names no file.
std::optional<UnixAddress> split_unix_address(std::string_view address);

// Whether url.Parse reads it in the path of an URL as it is: no escape, no query, no fragment.
bool is_plain_in_url(std::string_view path);

}  // namespace causeway::engine_api
