#include "link/attach_line_reader.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway;
using namespace causeway::shim;
using namespace causeway::shim::link;

namespace {

const std::string kLine =
    R"(CAUSEWAY/1 {"version":"0.1.0","major":1,"vm_id":"1c1a0f6c-0000-4000-8000-00000000abcd",)"
    R"("port":1129775105,"nonce":"000102030405060708090a0b0c0d0e0f"})"
    "\n";

std::string utf16le(std::u16string_view text) {
  std::string out;
  for (const char16_t unit : text) {
    out += static_cast<char>(unit & 0xff);
    out += static_cast<char>(unit >> 8);
  }
  return out;
}

// Feeds it in two pieces; what is left behind the line.
std::string rest_of(const std::string& bytes, std::size_t cut, AttachLineReader& reader,
                    std::optional<wire::AttachLine>& line) {
  auto part = std::string_view(bytes).substr(0, cut);
  auto taken = reader.take(part);
  REQUIRE(taken.ok());
  line = *taken;
  if (line) return std::string(part) + bytes.substr(cut);
  CHECK(part.empty());
  part = std::string_view(bytes).substr(cut);
  taken = reader.take(part);
  REQUIRE(taken.ok());
  line = *taken;
  return std::string(part);
}

}  // namespace

TEST_CASE("host_shim/link/attach_line_reader: behind any noise, cut anywhere") {
  const struct {
    const char* name;
    std::string noise;
  } cases[] = {
      {"none", ""},
      {"UTF-8", "wsl: a warning\n"},
      {"UTF-8 with CR", "wsl: a warning\r\n"},
      {"the name in it", "CAUSEWAY/1 is near, CAUSEWAY/1 {\"x\":1}? no\nCAUSEWAY/\n"},
      {"UTF-16LE", utf16le(u"wsl: \u00fcber\r\n")},
      {"UTF-16LE with a mark", "\xff\xfe" + utf16le(u"wsl: \u4e2d\u6587\r\n")},
      {"UTF-16LE without a line's end", utf16le(u"wsl: x")},
      {"only a mark", "\xff\xfe"},
  };
  const std::string behind("\x00\x01raw\nbytes", 11);
  for (const auto& one : cases) {
    CAPTURE(one.name);
    const auto all = one.noise + kLine + behind;
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      AttachLineReader reader;
      std::optional<wire::AttachLine> line;
      const auto rest = rest_of(all, cut, reader, line);
      REQUIRE(line);
      CHECK(rest == behind);
      CHECK(line->port == 1129775105);
      CHECK(line->vm_id == "1c1a0f6c-0000-4000-8000-00000000abcd");
      CHECK(reader.noise() == one.noise);
    }
  }
}

TEST_CASE("host_shim/link/attach_line_reader: too much noise, or too long a line, is an error") {
  AttachLineReader noisy;
  const std::string noise(AttachLineReader::kNoiseLimit + 100, 'x');
  std::string_view bytes = noise;
  CHECK_FALSE(noisy.take(bytes).ok());

  AttachLineReader endless;
  const auto line = "CAUSEWAY/1 {" + std::string(wire::kAttachLineLimit, ' ');
  bytes = line;
  CHECK_FALSE(endless.take(bytes).ok());

  // As much noise as is allowed is none.
  AttachLineReader much;
  const auto fits = std::string(AttachLineReader::kNoiseLimit - 1, 'x') + "\n" + kLine;
  bytes = fits;
  const auto taken = much.take(bytes);
  REQUIRE(taken.ok());
  CHECK(*taken);
}

TEST_CASE("host_shim/link/attach_line_reader: what wsl.exe says, as lines of UTF-8") {
  CHECK(console_lines("a\r\n\r\nb\n") == std::vector<std::string>{"a", "b"});
  CHECK(console_lines(utf16le(u"Es gibt keine Distribution\r\n\u4e2d\r\n")) ==
        std::vector<std::string>{"Es gibt keine Distribution", "\xe4\xb8\xad"});
  CHECK(console_lines("\xff\xfe" + utf16le(u"\U0001F40B\n")) ==
        std::vector<std::string>{"\xf0\x9f\x90\x8b"});
  CHECK(console_lines("\x1b[31mred\x07") == std::vector<std::string>{"[31mred"});
}
