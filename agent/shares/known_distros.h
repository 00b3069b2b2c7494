// The distros whose files were ever shared and that weren't forgotten, and whether they are to be
// integrated: DATA/causeway/distros.json, {"Ubuntu": {"enabled": true}}. A user may edit it; one
// that can't be read is left as it is, and what is learned meanwhile is not kept.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shares/distro_names.h"

namespace causeway::shares {

class KnownDistros {
 public:
  using Enabled = std::map<std::string, bool, DistroNameLess>;
  // Each has a socket, and a place in every status.
  static constexpr std::size_t kMost = 256;

  explicit KnownDistros(std::string path) : path_(std::move(path)) {}

  // No file, or an empty one: no distros. After an error nothing is written any more.
  Status load();

  bool has(std::string_view name) const { return distros_.contains(name); }
  bool enabled(std::string_view name) const;  // false also when unknown
  // The name as it is known; `name` itself when it isn't.
  std::string spelling(std::string_view name) const;
  // Adds or changes, and writes the file if that changed anything. In memory it counts in any case.
  Status set(const std::string& name, bool enabled);
  // The same for taking one away.
  Status forget(std::string_view name);
  const Enabled& all() const { return distros_; }

  // Of two spellings of a name the first counts, and that one of them is disabled.
  static Result<Enabled> parse(std::string_view text);
  static std::string to_json(const Enabled& distros);

 private:
  Status save() const;

  const std::string path_;
  bool writable_ = true;
  Enabled distros_;
};

}  // namespace causeway::shares
