// The table of settings in packaging/README.md against the code that reads them.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"
#include "settings/readme_path.h"
#include "settings/settings.h"

using namespace causeway;

namespace {

// The text between the first two back-quotes of a cell; empty: there is none.
std::string quoted(std::string_view cell) {
  const auto begin = cell.find('`');
  const auto end = begin == std::string_view::npos ? begin : cell.find('`', begin + 1);
  return end == std::string_view::npos ? "" : std::string(cell.substr(begin + 1, end - begin - 1));
}

// Key to default, as JSON; empty: none.
std::map<std::string, std::string> documented() {
  const auto readme = file::read(kReadme);
  REQUIRE(readme.ok());
  const std::string_view all = *readme;
  const auto begin = all.find("<!-- agent-settings:begin -->");
  const auto end = all.find("<!-- agent-settings:end -->");
  REQUIRE(begin != std::string_view::npos);
  REQUIRE(end != std::string_view::npos);
  std::map<std::string, std::string> out;
  for (const auto line : text::split(all.substr(begin, end - begin), '\n')) {
    const auto cells = text::split(line, '|');
    if (cells.size() > 3 && quoted(cells[1]).starts_with('/'))
      out[quoted(cells[1])] = quoted(cells[2]);
  }
  return out;
}

// A document with `values` at their pointers, of two steps at most.
std::string document(const std::map<std::string, std::string>& values) {
  auto out = json::Json::object({});
  for (const auto& [pointer, value] : values) {
    const auto parsed = json::Json::parse(value);
    REQUIRE_MESSAGE(parsed.ok(), pointer);
    const auto slash = pointer.find('/', 1);
    const auto key = pointer.substr(1, slash == std::string::npos ? slash : slash - 1);
    if (slash == std::string::npos) {
      out.set(key, *parsed);
      continue;
    }
    auto inner = out.find(key) == nullptr ? json::Json::object({}) : out[key];
    inner.set(pointer.substr(slash + 1), *parsed);
    out.set(key, std::move(inner));
  }
  return out.dump();
}

}  // namespace

TEST_CASE("settings/settings: the reference has every key, and each default as it is") {
  const auto table = documented();
  REQUIRE(!table.empty());
  std::map<std::string, std::string> values;
  for (const auto& [pointer, value] : table)
    if (!value.empty()) values[pointer] = value;
  const auto parsed = json::Json::parse(document(values));
  REQUIRE(parsed.ok());
  json::ObjectReader in(*parsed);
  settings::Settings settings("/nowhere");
  for (auto* section : settings.file.sections()) {
    section->read(in);
    section->take();
  }
  CHECK_MESSAGE(in.finish().ok(), document(values));
  CHECK(settings.engine.in_force() == engine_setup::EngineSettings{});
  CHECK(settings.host.in_force() == engine_setup::HostSettings{});
  CHECK(settings.log.in_force() == supervise::LogLimits{});
  CHECK(settings.link.in_force() == link::Settings{});
  CHECK(table.at("/link/tcp").empty());

  // Keys of an object that is there: all that the code asks for, and the objects themselves.
  std::vector<std::string> asked = in.asked();
  std::erase_if(asked, [&](const std::string& pointer) {
    return std::ranges::any_of(
        table, [&](const auto& row) { return row.first.starts_with(pointer + "/"); });
  });
  std::ranges::sort(asked);
  std::vector<std::string> keys;
  for (const auto& [pointer, value] : table) keys.push_back(pointer);
  CHECK(asked == keys);
}
