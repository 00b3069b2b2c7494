#include "paths/mount_info.h"

#include <algorithm>
#include <array>
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

// Takes what stands up to the next blank, and the blank; all of it when there is none.
std::string_view take_field(std::string_view& line) {
  const auto blank = std::min(line.find(' '), line.size());
  const auto field = line.substr(0, blank);
  line.remove_prefix(std::min(blank + 1, line.size()));
  return field;
}

// Six fixed fields, optional ones, a dash, then type, source and the options of the file system.
// The kernel escapes blanks in all of them but the last, which file systems print as they like (9p:
// "aname=drvfs;path=D:\My Documents"): so that one is all that is left, and it is taken as it is.
std::optional<MountEntry> parse_line(std::string_view line) {
  std::array<std::string_view, 6> fixed;
  for (auto& field : fixed) field = take_field(line);
  const auto id = text::to_u64(fixed[0]);
  const auto parent = text::to_u64(fixed[1]);
  if (!id || !parent || fixed[5].empty()) return std::nullopt;
  MountEntry entry;
  entry.id = static_cast<int>(*id);
  entry.parent = static_cast<int>(*parent);
  entry.device = fixed[2];
  entry.root = unescape(fixed[3]);
  entry.mount_point = unescape(fixed[4]);
  entry.options = fixed[5];
  for (auto optional = take_field(line); optional != "-"; optional = take_field(line)) {
    if (line.empty()) return std::nullopt;
    if (!entry.propagation.empty()) entry.propagation += ' ';
    entry.propagation += optional;
  }
  entry.fs_type = take_field(line);
  // The source may be empty; without the blank before it the line is cut off.
  if (line.empty()) return std::nullopt;
  entry.source = unescape(take_field(line));
  entry.super_options = line;
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
