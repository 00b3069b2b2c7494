#include "settings/settings.h"

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"

namespace causeway::settings {
namespace {

void read_link(json::ObjectReader& link, Settings& out) {
  std::string text;
  if (link.read("vsock", text)) {
    if (text == "auto") {
      out.link_vsock = LinkVsock::automatic;
    } else if (text == "on") {
      out.link_vsock = LinkVsock::on;
    } else if (text == "off") {
      out.link_vsock = LinkVsock::off;
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
    out.link_tcp_port = static_cast<std::uint16_t>(port);
  }
  link.read("peer_cid", out.link_peer_cid, 0, 0xffff'fffe);
}

}  // namespace

Result<Settings> parse_settings(std::string_view content) {
  const auto document = json::Json::parse(content);
  if (!document) return document.error();
  Settings out;
  json::ObjectReader in(*document);
  in.read("live_restore", out.live_restore);
  in.read("host_setup", out.host_setup);
  in.object("log", [&](json::ObjectReader& log) {
    log.read("max_bytes", out.log_max_bytes, 64 * 1024, 1LL << 40);
    log.read("files", out.log_files, 1, 100);
  });
  in.object("link", [&](json::ObjectReader& link) { read_link(link, out); });
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

Result<Settings> load_settings(const std::string& path) {
  const auto content = file::read(path);
  if (!content && content.error().code == ENOENT) return Settings{};
  if (!content) return content.error();
  auto parsed = parse_settings(*content);
  if (!parsed) return std::move(parsed).error().with(path);
  return parsed;
}

}  // namespace causeway::settings
