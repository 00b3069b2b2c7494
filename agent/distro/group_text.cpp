#include "distro/group_text.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace causeway::distro {
namespace {

constexpr std::size_t kFields = 4;
// What useradd(8) and adduser(8) take for system groups.
constexpr unsigned kFirstGid = 100;
constexpr unsigned kLastGid = 999;

// Where a line stands in its text, without its end.
struct Line {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<Line> lines(std::string_view text) {
  std::vector<Line> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out.push_back({at, end});
    at = end + 1;
  }
  return out;
}

std::string_view in(std::string_view text, const Line& line) {
  return text.substr(line.begin, line.end - line.begin);
}

std::optional<Line> line_of(std::string_view text, std::string_view group) {
  for (const auto& line : lines(text)) {
    const auto fields = text::split(in(text, line), ':');
    if (fields.size() == kFields && fields[0] == group) return line;
  }
  return std::nullopt;
}

// Where the members begin; they go to the line's end.
std::size_t members_begin(std::string_view text, const Line& line) {
  return line.begin + in(text, line).rfind(':') + 1;
}

}  // namespace

bool Group::has_member(std::string_view user) const {
  const auto all = text::split(members, ',');
  return std::find(all.begin(), all.end(), user) != all.end();
}

std::optional<Group> find_group(std::string_view text, std::string_view name) {
  const auto line = line_of(text, name);
  if (!line) return std::nullopt;
  const auto fields = text::split(in(text, *line), ':');
  return Group{std::string(fields[0]), std::string(fields[2]), std::string(fields[3])};
}

std::optional<unsigned> free_gid(std::string_view groups, std::string_view passwd,
                                 std::optional<unsigned> wanted) {
  std::set<std::uint64_t> taken;
  const auto take = [&](std::string_view text, std::size_t field) {
    for (const auto& line : lines(text)) {
      const auto fields = text::split(in(text, line), ':');
      if (fields.size() <= field) continue;
      if (const auto gid = text::to_u64(fields[field])) taken.insert(*gid);
    }
  };
  take(groups, 2);
  take(passwd, 3);
  if (wanted && !taken.contains(*wanted)) return wanted;
  for (unsigned gid = kLastGid; gid >= kFirstGid; --gid)
    if (!taken.contains(gid)) return gid;
  return std::nullopt;
}

Edit with_line(std::string_view text, std::string_view line) {
  Edit out;
  out.separated = !text.empty() && !text.ends_with('\n');
  out.text = text;
  if (out.separated) out.text += '\n';
  out.text += line;
  out.text += '\n';
  return out;
}

std::optional<std::string> without_line(std::string_view text, std::string_view line,
                                        bool separated) {
  const auto all = lines(text);
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Line& l) { return in(text, l) == line; });
  if (found == all.end()) return std::nullopt;
  // Still the last one: the line before gets back that it has no end.
  const bool last = found + 1 == all.end();
  const std::size_t begin = found->begin - (separated && last && found->begin > 0 ? 1 : 0);
  std::string out(text.substr(0, begin));
  out += text.substr(std::min(found->end + 1, text.size()));
  return out;
}

std::optional<Edit> with_member(std::string_view text, std::string_view group,
                                std::string_view user) {
  const auto line = line_of(text, group);
  if (!line) return std::nullopt;
  Edit out;
  const auto members =
      text.substr(members_begin(text, *line), line->end - members_begin(text, *line));
  out.separated = !members.empty() && !members.ends_with(',');
  out.text = text.substr(0, line->end);
  if (out.separated) out.text += ',';
  out.text += user;
  out.text += text.substr(line->end);
  return out;
}

std::optional<std::string> without_member(std::string_view text, std::string_view group,
                                          std::string_view user, bool separated) {
  const auto line = line_of(text, group);
  if (!line) return std::nullopt;
  for (std::size_t at = members_begin(text, *line); at <= line->end;) {
    const std::size_t end = std::min(text.find(',', at), line->end);
    if (text.substr(at, end - at) != user) {
      at = end + 1;
      continue;
    }
    // With the comma that came with it; else, when others came behind it, with theirs.
    std::size_t from = at;
    std::size_t to = end;
    if (separated && text[at - 1] == ',') {
      --from;
    } else if (to < line->end) {
      ++to;
    }
    return std::string(text.substr(0, from)) + std::string(text.substr(to));
  }
  return std::nullopt;
}

}  // namespace causeway::distro
