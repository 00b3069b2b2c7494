#include "engine_api/json_text.h"

#include <cstdint>

namespace causeway::engine_api {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

// How many bytes at the start of `s` are ASCII and stand for themselves within quotes.
std::size_t count_plain(std::string_view s) {
  std::size_t n = 0;
  for (const char c : s) {
    const auto value = static_cast<unsigned char>(c);
    if (value < 0x20 || value >= 0x7f || c == '"' || c == '\\') break;
    ++n;
  }
  return n;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xc0U | (c >> 6U));
    add(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    add(0xe0U | (c >> 12U));
    add(0x80U | ((c >> 6U) & 0x3fU));
    add(0x80U | (c & 0x3fU));
  } else {
    add(0xf0U | (c >> 18U));
    add(0x80U | ((c >> 12U) & 0x3fU));
    add(0x80U | ((c >> 6U) & 0x3fU));
    add(0x80U | (c & 0x3fU));
  }
}

// The value of "\uXXXX" at the start of `s`; a value beyond 16 bits when there is none.
std::uint32_t unit_at(std::string_view s) {
  if (s.size() < 6 || s[0] != '\\' || s[1] != 'u') return 0x10000;
  std::uint32_t value = 0;
  for (const char c : s.substr(2, 4)) {
    value <<= 4U;
    if (c >= '0' && c <= '9') {
      value |= static_cast<std::uint32_t>(c - '0');
    } else {
      value |= static_cast<std::uint32_t>((static_cast<unsigned char>(c) | 0x20U) - 'a' + 10U);
    }
  }
  return value;
}

// Appends the character of the escape at the start of `s` and says how long it is.
std::size_t append_unescaped(std::string& out, std::string_view s) {
  if (s.size() < 2) return s.size();
  switch (s[1]) {
    case 'b':
      out += '\b';
      return 2;
    case 'f':
      out += '\f';
      return 2;
    case 'n':
      out += '\n';
      return 2;
    case 'r':
      out += '\r';
      return 2;
    case 't':
      out += '\t';
      return 2;
    case 'u':
      break;
    default:
      out += s[1];  // quote, slash, backslash
      return 2;
  }
  const std::uint32_t first = unit_at(s);
  if (first < 0xd800 || first > 0xdfff) {
    append_utf8(out, first <= 0xffff ? first : kReplacement);
    return 6;
  }
  const std::uint32_t second = first < 0xdc00 ? unit_at(s.substr(6)) : 0;
  if (second < 0xdc00 || second > 0xdfff) {
    append_utf8(out, kReplacement);
    return 6;
  }
  append_utf8(out, 0x10000U + ((first - 0xd800U) << 10U) + (second - 0xdc00U));
  return 12;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto value = static_cast<unsigned char>(c);
  if (value >= 0x20 && value != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[value >> 4U];
  out += kHex[value & 0xfU];
}

}  // namespace

std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return s.empty() ? 0 : 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
    if (first == 0xed && byte(1) > 0x9f) return 0;  // a surrogate
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string unquoted(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  while (!inside.empty()) {
    if (const std::size_t plain = count_plain(inside); plain != 0) {
      out.append(inside, 0, plain);
      inside.remove_prefix(plain);
      continue;
    }
    std::size_t length = 1;
    if (inside[0] == '\\') {
      length = append_unescaped(out, inside);
    } else if (const std::size_t character = utf8_length(inside); character == 0) {
      append_utf8(out, kReplacement);
    } else {
      length = character;
      out.append(inside, 0, length);
    }
    inside.remove_prefix(length);
  }
  return out;
}

void append_quoted(std::string& out, std::string_view text, std::string_view bad) {
  out += '"';
  while (!text.empty()) {
    if (const std::size_t plain = count_plain(text); plain != 0) {
      out.append(text, 0, plain);
      text.remove_prefix(plain);
      continue;
    }
    const std::size_t length = utf8_length(text);
    if (length == 1) {
      append_escaped(out, text[0]);
    } else if (length == 0) {
      out += bad;
    } else {
      out.append(text, 0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

FoldedKey::FoldedKey(std::string_view inside, bool escaped) {
  if (escaped) {
    fold(unquoted(inside));
  } else {
    fold(inside);
  }
}

void FoldedKey::fold(std::string_view text) {
  constexpr std::string_view kLongS = "\xc5\xbf";
  constexpr std::string_view kKelvin = "\xe2\x84\xaa";
  while (!text.empty()) {
    char c = text[0];
    std::size_t length = 1;
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c | 0x20);
    } else if (text.starts_with(kLongS)) {
      c = 's';
      length = kLongS.size();
    } else if (text.starts_with(kKelvin)) {
      c = 'k';
      length = kKelvin.size();
    }
    if (size_ == text_.size()) {
      size_ = 0;  // no name is empty
      return;
    }
    text_[size_++] = c;
    text.remove_prefix(length);
  }
}

}  // namespace causeway::engine_api
