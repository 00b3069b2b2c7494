#include "shares/known_distros.h"

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "json/json.h"
#include "paths/path_mapper.h"

namespace causeway::shares {

using json::Json;

Result<KnownDistros::Enabled> KnownDistros::parse(std::string_view text) {
  const auto document = Json::parse(text);
  if (!document) return document.error();
  if (!document->is_object()) return make_error("expected an object");
  Enabled out;
  for (const auto& member : document->members()) {
    if (!paths::valid_distro_name(member.key)) return make_error("a name that no distro can have");
    bool enabled = true;
    json::ObjectReader in(member.value);
    in.read("enabled", enabled);
    if (auto done = in.finish(); !done) return std::move(done).error().with(member.key);
    const auto [known, added] = out.emplace(member.key, enabled);
    if (!added) known->second = known->second && enabled;
  }
  return out;
}

std::string KnownDistros::to_json(const Enabled& distros) {
  Json out = Json::object();
  for (const auto& [name, enabled] : distros) out.set(name, Json::object({{"enabled", enabled}}));
  return out.dump(2) + "\n";
}

Status KnownDistros::load() {
  auto text = file::read(path_);
  if (!text && text.error().code == ENOENT) return Ok{};
  if (text) text = text::from_file(*std::move(text));
  if (text && text::trim(*text).empty()) return Ok{};
  auto parsed = text ? parse(*text) : Result<Enabled>(std::move(text).error());
  if (!parsed) {
    writable_ = false;
    return std::move(parsed).error().with(path_);
  }
  distros_ = std::move(*parsed);
  return Ok{};
}

bool KnownDistros::enabled(std::string_view name) const {
  const auto found = distros_.find(name);
  return found != distros_.end() && found->second;
}

Status KnownDistros::set(const std::string& name, bool enabled) {
  const auto found = distros_.find(name);
  if (found != distros_.end() && found->second == enabled) return Ok{};
  distros_.insert_or_assign(name, enabled);
  return save();
}

std::string KnownDistros::spelling(std::string_view name) const {
  const auto found = distros_.find(name);
  return found == distros_.end() ? std::string(name) : found->first;
}

Status KnownDistros::forget(std::string_view name) {
  const auto found = distros_.find(name);
  if (found == distros_.end()) return Ok{};
  distros_.erase(found);
  return save();
}

Status KnownDistros::save() const {
  if (!writable_) return make_error(path_ + " could not be read and is left as it is");
  if (auto made = file::make_directories(path_.substr(0, path_.rfind('/'))); !made) return made;
  return file::write_atomic(path_, to_json(distros_));
}

}  // namespace causeway::shares
