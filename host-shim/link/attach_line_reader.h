// Finds the line of `causeway attach` (wire/attach_line.h) behind any noise of wsl.exe.
//
// Noise is what wsl.exe itself prints: UTF-8, or UTF-16LE with or without a byte order mark, in any
// language, also without a line's end. The agent's line is always UTF-8. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/attach_line.h"

namespace causeway::shim::link {

// Text of a Windows program as UTF-8, whichever of the two it is.
std::string console_text(std::string_view bytes);
// Its lines without blank ones, line ends and control characters.
std::vector<std::string> console_lines(std::string_view bytes);

class AttachLineReader {
 public:
  static constexpr std::size_t kNoiseLimit = std::size_t{64} * 1024;

  // Takes all bytes until the line is complete, and then leaves the rest in `bytes`: they are the
  // link's. Nothing yet: more is wanted. An error is final: a broken line, or too much noise.
  Result<std::optional<wire::AttachLine>> take(std::string_view& bytes);

  // What came before the line.
  std::string_view noise() const { return std::string_view(have_).substr(0, noise_size()); }

 private:
  std::size_t noise_size() const { return marker_ == std::string::npos ? have_.size() : marker_; }

  std::string have_;
  std::size_t searched_ = 0;
  std::size_t marker_ = std::string::npos;
};

}  // namespace causeway::shim::link
