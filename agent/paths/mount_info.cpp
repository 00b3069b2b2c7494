#include "paths/mount_info.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace causeway::paths {
namespace {

// Blank, tab, newline, backslash (and '#') are written as \ooo.
std::string unescape(std::string_view field) {
  std::string out;
  out.reserve(field.size());
  auto octal = [](char c) { return c >= '0' && c <= '7'; };
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && octal(field[i + 1]) && octal(field[i + 2]) &&
        octal(field[i + 3])) {
      out += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 +
                               (field[i + 3] - '0'));
      i += 3;
    } else {
      out += field[i];
    }
  }
  return out;
}

std::optional<MountEntry> parse_line(std::string_view line) {
  const auto fields = text::split(line, ' ');
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  // Six fixed fields, optional ones, a dash, then type and source; the last one may be absent.
  if (dash - fields.begin() < 6 || fields.end() - dash < 3) return std::nullopt;
  const auto id = text::to_u64(fields[0]);
  const auto parent = text::to_u64(fields[1]);
  if (!id || !parent) return std::nullopt;
  MountEntry entry;
  entry.id = static_cast<int>(*id);
  entry.parent = static_cast<int>(*parent);
  entry.device = fields[2];
  entry.root = unescape(fields[3]);
  entry.mount_point = unescape(fields[4]);
  entry.options = fields[5];
  for (auto optional = fields.begin() + 6; optional != dash; ++optional) {
    if (!entry.propagation.empty()) entry.propagation += ' ';
    entry.propagation += *optional;
  }
  entry.fs_type = dash[1];
  entry.source = unescape(dash[2]);
  if (fields.end() - dash > 3) entry.super_options = dash[3];
  return entry;
}

// The topmost mount on `point` of the mount `current`, following stacks; `current` when there is
// none.
const MountEntry* descend(const std::vector<MountEntry>& mounts, const MountEntry* current,
                          std::string_view point) {
  for (;;) {
    const MountEntry* next = nullptr;
    for (const auto& entry : mounts)
      if (entry.parent == current->id && entry.id != current->id && entry.mount_point == point)
        next = &entry;
    if (next == nullptr) return current;
    current = next;
  }
}

const MountEntry* root_of(const std::vector<MountEntry>& mounts) {
  for (const auto& entry : mounts) {
    if (entry.mount_point != "/") continue;
    const bool parent_listed = std::any_of(
        mounts.begin(), mounts.end(),
        [&](const MountEntry& other) { return other.id == entry.parent && other.id != entry.id; });
    if (!parent_listed) return descend(mounts, &entry, "/");
  }
  return nullptr;
}

}  // namespace

bool MountEntry::has_super_option(std::string_view option) const {
  const auto all = text::split(super_options, ',');
  return std::find(all.begin(), all.end(), option) != all.end();
}

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> out;
  for (const auto line : text::split(text, '\n'))
    if (auto entry = parse_line(line)) out.push_back(std::move(*entry));
  return out;
}

const MountEntry* mount_of(const std::vector<MountEntry>& mounts, std::string_view path) {
  const MountEntry* current = root_of(mounts);
  if (current == nullptr || path.empty() || path.front() != '/') return current;
  for (std::size_t at = 1; at < path.size();) {
    const auto slash = std::min(path.find('/', at), path.size());
    current = descend(mounts, current, path.substr(0, slash));
    at = slash + 1;
  }
  return current;
}

const MountEntry* mounted_at(const std::vector<MountEntry>& mounts, std::string_view path) {
  const MountEntry* found = mount_of(mounts, path);
  return found != nullptr && found->mount_point == path ? found : nullptr;
}

}  // namespace causeway::paths
