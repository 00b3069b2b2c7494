#include "engine_api/path_edits.h"

#include <utility>

#include "base/text.h"
#include "engine_api/json_text.h"
#include "engine_api/unix_address.h"
#include "paths/path_mapper.h"

namespace causeway::engine_api {

std::vector<std::string> sources(const Findings& found) {
  std::vector<std::string> out = found.filters.paths;
  out.reserve(out.size() + found.paths.size());
  for (const PathValue& value : found.paths)
    out.push_back(value.kind == PathValue::Kind::file ? paths::from_root(value.source)
                                                      : value.source);
  return out;
}

Result<RequestEdits> path_edits(const Findings& found, const std::vector<std::string>& mapped) {
  const std::size_t filters = found.filters.paths.size();
  if (mapped.size() != filters + found.paths.size()) {
    return make_error("not as many engine paths as paths");
  }
  RequestEdits out;
  if (auto edit = filters_edit(
          found.filters, {mapped.begin(), mapped.begin() + static_cast<std::ptrdiff_t>(filters)})) {
    out.change_target(std::move(*edit));
  }
  for (std::size_t i = 0; i < found.paths.size(); ++i) {
    const PathValue& value = found.paths[i];
    const std::string& path = mapped[filters + i];
    if (path == value.source) continue;  // a volume's name
    if (auto can = can_replace(value, path); !can.ok()) return std::move(can).error();
    out.change_body({value.begin, value.end, replacement(value, path)});
  }
  return out;
}

Status can_replace(const PathValue& value, std::string_view engine_path) {
  if (value.kind == PathValue::Kind::bind && engine_path.find(':') != std::string_view::npos) {
    return make_error("the path " + text::printable(engine_path) +
                      " has a colon in it, which no bind can express: use a mount (--mount)");
  }
  if (value.kind == PathValue::Kind::address && !is_plain_in_url(engine_path)) {
    return make_error("the path " + text::printable(engine_path) +
                      " can't stand in the address of a log driver");
  }
  std::string_view rest = engine_path;
  while (!rest.empty()) {
    const std::size_t length = utf8_length(rest);
    if (length == 0 || rest[0] == '\0') {
      return make_error("the path " + text::printable(engine_path) +
                        " is not UTF-8, so that Docker's API can't express it");
    }
    rest.remove_prefix(length);
  }
  return Ok{};
}

std::string replacement(const PathValue& value, std::string_view engine_path) {
  std::string out;
  append_quoted(out, value.lead + std::string(engine_path) + value.rest, "\\u0000");
  return out;
}

}  // namespace causeway::engine_api
