// The text of JSON strings, as Go's encoding/json reads and writes it: what dockerd makes of a
// string token is what we must make of it.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace causeway::engine_api {

// How many bytes at the start of `s` are one well-formed UTF-8 character (Unicode, table 3-7), or
// 0.
std::size_t utf8_length(std::string_view s);

// What a string token says; `inside` is what stands between its quotes, and valid. As Go's unquote:
// each byte that is no UTF-8, and each surrogate without its other half, becomes U+FFFD.
std::string unquoted(std::string_view inside);

// Appends `text` as a string token. Each byte that is no UTF-8 becomes `bad`.
void append_quoted(std::string& out, std::string_view text, std::string_view bad = "\xef\xbf\xbd");

// A key of an object in the form in which Go compares it with the names of a struct's fields: A-Z
// folded, and the two characters beyond ASCII that fold to a letter, U+017F (s) and U+212A (k).
class FoldedKey {
 public:
  // `inside` as above; `escaped`: there is a backslash in it.
  FoldedKey(std::string_view inside, bool escaped);
  // `name` in lower case, ASCII.
  bool is(std::string_view name) const { return std::string_view(text_.data(), size_) == name; }

 private:
  void fold(std::string_view text);

  std::array<char, 32> text_;  // longer than any name we look for; a longer key is none of them
  std::size_t size_ = 0;
};

}  // namespace causeway::engine_api
