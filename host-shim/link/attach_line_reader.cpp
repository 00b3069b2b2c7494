#include "link/attach_line_reader.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace causeway::shim::link {
namespace {

// With the bracket of the JSON: the name alone may stand in noise.
const std::string kMarker = std::string(wire::kAttachMarker) + "{";
constexpr std::string_view kByteOrderMark = "\xff\xfe";

// Only at the start of a line, whichever encoding the line before has: '\n' and, for UTF-16LE, the
// zero byte of its last character or the byte order mark of an otherwise empty output.
bool starts_line(std::string_view have, std::size_t at) {
  if (at == 0) return true;
  const char before = have[at - 1];
  return before == '\n' || before == '\r' || before == '\0' ||
         have.substr(0, at).ends_with(kByteOrderMark) ||
         have.substr(0, at).ends_with("\xef\xbb\xbf");
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

std::string utf16le_to_utf8(std::string_view bytes) {
  constexpr std::uint32_t kReplacement = 0xfffd;
  const auto unit = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]) |
                                      (static_cast<unsigned char>(bytes[i + 1]) << 8));
  };
  std::string out;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t c = unit(i);
    if (c >= 0xd800 && c < 0xdc00 && i + 3 < bytes.size() && unit(i + 2) >= 0xdc00 &&
        unit(i + 2) < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (unit(i + 2) - 0xdc00);
      i += 2;
    } else if (c >= 0xd800 && c < 0xe000) {
      c = kReplacement;
    }
    append_utf8(out, c);
  }
  return out;
}

}  // namespace

std::string console_text(std::string_view bytes) {
  if (bytes.starts_with(kByteOrderMark)) return utf16le_to_utf8(bytes.substr(2));
  // Without a mark: text in UTF-8 has no zero bytes, and in UTF-16LE every line's end has one.
  if (bytes.find('\0') != std::string_view::npos) return utf16le_to_utf8(bytes);
  return std::string(bytes);
}

std::vector<std::string> console_lines(std::string_view bytes) {
  std::vector<std::string> lines(1);
  for (const char c : console_text(bytes)) {
    if (c == '\n' || c == '\r')
      lines.emplace_back();
    else if (static_cast<unsigned char>(c) >= ' ' && c != 0x7f)
      lines.back() += c;
  }
  std::erase_if(lines,
                [](const auto& line) { return line.find_first_not_of(' ') == std::string::npos; });
  return lines;
}

Result<std::optional<wire::AttachLine>> AttachLineReader::take(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (marker_ == std::string::npos) {
      const auto part = bytes.substr(0, kNoiseLimit + kMarker.size() - have_.size());
      const auto had = have_.size();
      have_ += part;
      for (auto at = have_.find(kMarker, searched_); at != std::string::npos;
           at = have_.find(kMarker, at + 1)) {
        if (!starts_line(have_, at)) continue;
        marker_ = at;
        break;
      }
      if (marker_ == std::string::npos) {
        bytes.remove_prefix(part.size());
        searched_ = have_.size() - std::min(have_.size(), kMarker.size() - 1);
        if (have_.size() >= kNoiseLimit + kMarker.size())
          return make_error("it prints much, but not the line that tells how to connect");
        continue;
      }
      // What stands behind the marker is looked at below.
      const auto taken = std::max(had, marker_ + kMarker.size()) - had;
      have_.resize(had + taken);
      bytes.remove_prefix(taken);
      continue;
    }
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end == std::string_view::npos ? bytes.size() : end + 1);
    if (have_.size() - marker_ + part.size() > wire::kAttachLineLimit)
      return make_error("its line that tells how to connect is too long");
    have_ += part;
    bytes.remove_prefix(part.size());
    if (end == std::string_view::npos) break;
    auto line =
        wire::parse_attach_line(std::string_view(have_).substr(marker_ + kMarker.size() - 1));
    if (!line) return std::move(line).error();
    return std::optional(*std::move(line));
  }
  return std::optional<wire::AttachLine>();
}

}  // namespace causeway::shim::link
