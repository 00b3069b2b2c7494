#include "config/settings.h"

#include <cerrno>

#include "base/file.h"
#include "config/json.h"

namespace causeway::config {

Result<Settings> parse_settings(std::string_view content) {
  const auto document = Json::parse(content);
  if (!document) return document.error();
  Settings out;
  ObjectReader in(*document);
  in.read("live_restore", out.live_restore);
  in.read("host_setup", out.host_setup);
  in.object("log", [&](ObjectReader& log) {
    log.read("max_bytes", out.log_max_bytes, 64 * 1024, 1LL << 40);
    log.read("files", out.log_files, 1, 100);
  });
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

}  // namespace causeway::config
