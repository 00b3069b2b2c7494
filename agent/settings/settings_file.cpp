#include "settings/settings_file.h"

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"

namespace causeway::settings {

Status SettingsFile::load() {
  auto done = read();
  if (!done) {
    problem_ = done.error().message + "; the default settings are used";
    empty_ = false;
    (void)parse("{}");
  }
  for (auto* section : sections_) section->take();
  return done;
}

Status SettingsFile::reload() {
  auto done = read();
  if (!done) {
    problem_ = done.error().message + "; the settings before it stay in force";
    return done;
  }
  problem_.clear();
  for (auto* section : sections_) section->tell();
  return done;
}

Status SettingsFile::read() {
  auto content = file::read(path_);
  if (!content && content.error().code != ENOENT) return std::move(content).error();
  const auto text = content ? text::from_file(*std::move(content)) : Result<std::string>("{}");
  if (!text) return Error(text.error()).with(path_);
  const bool empty = text::trim(*text).empty();
  auto parsed = parse(empty ? "{}" : std::string_view(*text));
  if (!parsed) return std::move(parsed).error().with(path_);
  empty_ = empty;
  return parsed;
}

Status SettingsFile::parse(std::string_view content) {
  const auto document = json::Json::parse(content);
  if (!document) return document.error();
  json::ObjectReader in(*document);
  for (auto* section : sections_) section->read(in);
  return in.finish();
}

std::vector<SettingsFile::Note> SettingsFile::notes() const {
  std::vector<Note> out;
  if (!problem_.empty()) out.push_back({true, problem_});
  if (empty_) out.push_back({false, path_ + " is empty: the default settings are used"});
  for (const auto* section : sections_)
    if (!section->waits_for().empty())
      out.push_back(
          {false, path_ + ": \"" + section->name() + "\" takes effect " + section->waits_for()});
  return out;
}

}  // namespace causeway::settings
