#include "settings/settings_file.h"

#include <cerrno>

#include "base/file.h"
#include "json/json.h"

namespace causeway::settings {

Status SettingsFile::load() {
  auto done = read();
  if (!done) {
    problem_ = done.error().message + "; the default settings are used";
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
  const auto content = file::read(path_);
  if (!content && content.error().code != ENOENT) return content.error();
  auto parsed = parse(content ? std::string_view(*content) : "{}");
  if (!parsed) return std::move(parsed).error().with(path_);
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
  for (const auto* section : sections_)
    if (!section->waits_for().empty())
      out.push_back(
          {false, path_ + ": \"" + section->name() + "\" takes effect " + section->waits_for()});
  return out;
}

}  // namespace causeway::settings
