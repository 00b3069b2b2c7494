#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace causeway::cli {
namespace {

// What a terminal without a known size is taken for.
constexpr std::size_t kDefaultColumns = 80;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

const char* sequence(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::bold:
      return "\x1b[1m";
  }
  return "";
}

}  // namespace

Terminal Terminal::of(int fd) {
  Terminal out;
  out.interactive = ::isatty(fd) == 1;
  if (!out.interactive) return out;
  const char* type = std::getenv("TERM");
  out.colours = !is_set("NO_COLOR") && type != nullptr && std::string_view(type) != "dumb";
  winsize size{};
  out.columns =
      ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
  return out;
}

std::string Terminal::paint(std::string_view text, Colour colour) const {
  if (!colours || colour == Colour::none) return std::string(text);
  return std::string(sequence(colour)).append(text).append("\x1b[0m");
}

}  // namespace causeway::cli
