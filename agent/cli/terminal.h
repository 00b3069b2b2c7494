// Where a command's text goes: how wide it is, and whether it may be coloured.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace causeway::cli {

enum class Colour { none, green, yellow, red, dim, bold };

struct Terminal {
  bool interactive = false;  // a person reads it
  bool colours = false;      // interactive, without NO_COLOR (no-color.org) and TERM=dumb
  std::size_t columns = 0;   // 0: lines may have any length

  static Terminal of(int fd);
  // `text` in that colour, or as it is.
  std::string paint(std::string_view text, Colour colour) const;
};

}  // namespace causeway::cli
