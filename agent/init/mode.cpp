#include "init/mode.h"

#include <cctype>
#include <utility>

#include "base/text.h"

namespace causeway::init {
namespace {

constexpr std::pair<unsigned, unsigned> kKernelFloor{5, 15};

// The digits at the front of `text`, which they leave.
std::optional<unsigned> take_number(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
  const auto value = text::to_u64(text.substr(0, digits));
  if (!value || *value > 100000) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<unsigned>(*value);
}

bool contains_icase(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; at + word.size() <= text.size(); ++at)
    if (text::iequals(text.substr(at, word.size()), word)) return true;
  return false;
}

}  // namespace

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::pid1:
      return "pid1";
    case Mode::wsl:
      return "wsl";
    case Mode::plain:
      return "plain";
  }
  return "plain";
}

Result<std::optional<Mode>> parse_mode(std::string_view text) {
  if (text == "auto") return std::optional<Mode>{};
  for (const Mode mode : {Mode::pid1, Mode::wsl, Mode::plain})
    if (text == name(mode)) return std::optional<Mode>{mode};
  return make_error("unknown mode '" + text::printable(text) + "': auto, pid1, wsl or plain");
}

Mode detect_mode(const ModeInputs& inputs, const std::function<bool(const std::string&)>& exists) {
  if (inputs.pid == 1) return Mode::pid1;
  // WSL's own kernel says "microsoft"; a user's kernel may not, so its traces count as well.
  if (contains_icase(inputs.kernel_release, "microsoft") || !inputs.wsl_distro_name.empty() ||
      exists("/proc/sys/fs/binfmt_misc/WSLInterop") ||
      exists("/proc/sys/fs/binfmt_misc/WSLInterop-late"))
    return Mode::wsl;
  return Mode::plain;
}

Status check_kernel(std::string_view release) {
  std::string_view rest = release;
  const auto major = take_number(rest);
  if (major && !rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    if (const auto minor = take_number(rest)) {
      if (std::pair{*major, *minor} >= kKernelFloor) return Ok{};
      return make_error("Linux " + std::string(release) + " is older than 5.15");
    }
  }
  return make_error("cannot read the kernel version '" + text::printable(release) + "'");
}

}  // namespace causeway::init
