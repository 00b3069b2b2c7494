#include "link/settings.h"

#include <string>
#include <string_view>

#include "base/text.h"

namespace causeway::link {
namespace {

void read_members(json::ObjectReader& link, Settings& out) {
  std::string text;
  if (link.read("vsock", text)) {
    if (text == "auto") {
      out.vsock = Vsock::automatic;
    } else if (text == "on") {
      out.vsock = Vsock::on;
    } else if (text == "off") {
      out.vsock = Vsock::off;
    } else {
      link.fail("vsock", "expected auto, on or off, found " + text::printable(text));
    }
  }
  if (link.read("tcp", text)) {
    constexpr std::string_view kLoopback = "127.0.0.1:";
    const std::uint64_t port =
        text.starts_with(kLoopback) ? text::to_u64(text.substr(kLoopback.size())).value_or(0) : 0;
    // Whoever reaches the port and knows the nonce has the engine: so loopback only.
    if (port == 0 || port > 65535)
      return link.fail("tcp", "expected 127.0.0.1:PORT, found " + text::printable(text));
    out.tcp_port = static_cast<std::uint16_t>(port);
  }
  link.read("peer_cid", out.peer_cid, 0, 0xffff'fffe);
}

}  // namespace

void read_settings(json::ObjectReader& file, Settings& out) {
  file.object("link", [&](json::ObjectReader& link) { read_members(link, out); });
}

}  // namespace causeway::link
