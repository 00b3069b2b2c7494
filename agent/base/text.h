// Small text functions without allocation surprises; all take and return UTF-8 bytes as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::text {

// Pieces between `separator`s; "a,,b" gives three pieces, "" gives one empty piece. The views live
// as long as `s`.
std::vector<std::string_view> split(std::string_view s, char separator);

// Pieces separated by runs of blanks and tabs, without empty pieces.
std::vector<std::string_view> fields(std::string_view s);

// Without leading and trailing blanks, tabs, CR and LF.
std::string_view trim(std::string_view s);

// A decimal number that uses the whole text; nothing on signs, blanks, overflow or an empty text.
std::optional<std::uint64_t> to_u64(std::string_view s);

// What a person's file says, as UTF-8: a byte order mark goes, and UTF-16 that has one is
// converted. So Windows' tools leave files (PowerShell's `>`, Notepad). Errors: UTF-32, and UTF-16
// that is cut off within a character.
Result<std::string> from_file(std::string content);

bool iequals(std::string_view a, std::string_view b);  // ASCII case folding only

// For a path segment or a query value: all but RFC 3986's unreserved characters as %XX.
std::string percent_encoded(std::string_view s);
// The bytes that %XX stand for. A % without two hex digits behind it stays as it is; `malformed`
// tells of it.
std::string percent_decoded(std::string_view s, bool* malformed = nullptr);

// "1.5 MiB", "312 B": for people, never for machines.
std::string human_bytes(std::uint64_t bytes);
// "3 d 4 h", "12 min", "45 s", "0 s": for people.
std::string human_seconds(std::uint64_t seconds);

// Control characters as \xNN, so that foreign text cannot steer a terminal or forge a log line.
std::string printable(std::string_view s);

}  // namespace causeway::text
