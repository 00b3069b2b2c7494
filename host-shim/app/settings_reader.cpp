#include "app/settings_reader.h"

#include <algorithm>

#include "base/text.h"
#include "json/json.h"
#include "wire/hello.h"

namespace causeway::shim::app {
namespace {

using json::Json;

constexpr std::string_view kPipePrefix = R"(\\.\pipe\)";

bool is_loopback(const std::string& address) {
  return address.starts_with("127.0.0.1:") && address.size() > 10 && address.size() <= 15 &&
         std::all_of(address.begin() + 10, address.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

bool is_pipe(const std::string& name) {
  return name.starts_with(kPipePrefix) && name.size() > kPipePrefix.size() && name.size() <= 256 &&
         name.find('\\', kPipePrefix.size()) == std::string::npos;
}

void read_words(json::ObjectReader& in, std::string_view key, std::vector<std::string>& out) {
  if (in.read(key, out) && std::find(out.begin(), out.end(), "") != out.end())
    in.fail(key, "has an empty string");
}

void read_seconds(json::ObjectReader& in, std::string_view key, std::uint32_t& out_ms) {
  std::int64_t seconds = 0;
  if (in.read(key, seconds, 1, 3600)) out_ms = static_cast<std::uint32_t>(seconds * 1000);
}

void read_level(json::ObjectReader& in, log::Level& out) {
  std::string name;
  if (!in.read("log_level", name)) return;
  for (const auto& [known, level] : {std::pair{"debug", log::Level::debug},
                                     {"info", log::Level::info},
                                     {"warning", log::Level::warning},
                                     {"error", log::Level::error}})
    if (name == known) {
      out = level;
      return;
    }
  in.fail("log_level", "must be debug, info, warning or error");
}

}  // namespace

bool is_empty(std::string_view text) { return text::trim(text).empty(); }

Result<Settings> parse_settings(std::string_view text) {
  auto document = Json::parse(is_empty(text) ? "{}" : text);
  if (!document) return std::move(document).error();
  Settings out;
  json::ObjectReader in(*document);
  if (in.read("pipe", out.shim.pipe) && !is_pipe(out.shim.pipe))
    in.fail("pipe", R"(must be a name like \\.\pipe\docker_engine)");
  read_words(in, "attach", out.shim.attach);
  std::string distro;
  if (in.read("distro", distro)) {
    if (in.has("attach")) in.fail("distro", "goes without /attach, which names the distro itself");
    if (distro.empty() || distro[0] == '-') in.fail("distro", "is no name of a distro");
    if (!in.failed()) out.shim.attach[2] = distro;
  }
  in.read("hvsocket", out.shim.hvsocket);
  if (in.read("tcp", out.shim.tcp) && !out.shim.tcp.empty() && !is_loopback(out.shim.tcp))
    in.fail("tcp", "must be 127.0.0.1 and a port: the link isn't encrypted");
  if (in.read("tcp_nonce", out.shim.tcp_nonce) && !out.shim.tcp_nonce.empty() &&
      !wire::nonce_from_hex(out.shim.tcp_nonce))
    in.fail("tcp_nonce", "must be 32 hex digits in lower case");
  read_seconds(in, "start_timeout_s", out.shim.start_timeout_ms);
  read_seconds(in, "client_wait_s", out.shim.client_wait_ms);
  read_level(in, out.log_level);
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

Result<std::vector<std::string>> parse_enabled(std::string_view text) {
  auto document = Json::parse(is_empty(text) ? "{}" : text);
  if (!document) return std::move(document).error();
  std::vector<std::string> out;
  json::ObjectReader in(*document);
  read_words(in, "enabled", out);
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

std::string enabled_json(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const auto& name : names) list.push(name);
  return Json::object({{"enabled", list}}).dump(2) + "\n";
}

}  // namespace causeway::shim::app
