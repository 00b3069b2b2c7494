// The distros that ever were integrated, and whether they still are to be: DATA/causeway/
// distros.json, {"Ubuntu": {"enabled": true}}. A user may edit it; one that can't be read is left
// as it is, and what is learned meanwhile is not kept.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::shares {

class KnownDistros {
 public:
  using Enabled = std::map<std::string, bool, std::less<>>;

  explicit KnownDistros(std::string path) : path_(std::move(path)) {}

  // No file, or an empty one: no distros. After an error nothing is written any more.
  Status load();

  bool has(std::string_view name) const { return distros_.contains(name); }
  bool enabled(std::string_view name) const;  // false also when unknown
  // Adds or changes, and writes the file if that changed anything. In memory it counts in any case.
  Status set(const std::string& name, bool enabled);
  const Enabled& all() const { return distros_; }

  static Result<Enabled> parse(std::string_view text);
  static std::string to_json(const Enabled& distros);

 private:
  const std::string path_;
  bool writable_ = true;
  Enabled distros_;
};

}  // namespace causeway::shares
