// Edits of /etc/group and /etc/gshadow as texts (group(5), gshadow(5)): only what is added or taken
// away changes, every other byte stays, and what was added is taken away so that the text is the
// one from before, whatever else was changed in between. Both files have the name first and the
// members last of four fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::distro {

struct Group {
  std::string name;
  std::string third;    // group: the gid; gshadow: the administrators
  std::string members;  // as written, "a,b"
  bool has_member(std::string_view user) const;
};

// The first line of that name that has four fields.
std::optional<Group> find_group(std::string_view text, std::string_view name);

// A free number for a system group (`wanted`, or else 100 to 999, the highest first), in neither
// text (group(5), passwd(5)); nothing when all are taken.
std::optional<unsigned> free_gid(std::string_view groups, std::string_view passwd,
                                 std::optional<unsigned> wanted = std::nullopt);

// Whether a separator had to be put in front of what was added: the text's last line had no end, or
// there were members before. Taking away needs to know it.
struct Edit {
  std::string text;
  bool separated = false;
};

// The text with `line` (without its end) as the last one.
Edit with_line(std::string_view text, std::string_view line);
// Without that line. `separated` as with_line() told. Nothing when there is no such line.
std::optional<std::string> without_line(std::string_view text, std::string_view line,
                                        bool separated);

// The text with `user` as the last member of the group. Nothing when there is no such group.
std::optional<Edit> with_member(std::string_view text, std::string_view group,
                                std::string_view user);
// Nothing when the user isn't a member.
std::optional<std::string> without_member(std::string_view text, std::string_view group,
                                          std::string_view user, bool separated);

}  // namespace causeway::distro
