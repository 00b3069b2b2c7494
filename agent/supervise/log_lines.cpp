#include "supervise/log_lines.h"

#include <algorithm>
#include <utility>

namespace causeway::supervise {

void LogLines::add(std::string_view bytes, const Line& line) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const auto room = kMaxLine - partial_.size();
    const auto length = std::min(newline, bytes.size());
    if (length > room || (newline == std::string_view::npos && length == room)) {
      partial_ += bytes.substr(0, room);
      bytes.remove_prefix(room);
      keep(std::exchange(partial_, {}), line);
      continue;
    }
    partial_ += bytes.substr(0, length);
    if (newline == std::string_view::npos) return;
    bytes.remove_prefix(length + 1);
    keep(std::exchange(partial_, {}), line);
  }
}

void LogLines::end(const Line& line) {
  if (!partial_.empty()) keep(std::exchange(partial_, {}), line);
}

void LogLines::clear() {
  partial_.clear();
  lines_.clear();
  bytes_ = 0;
}

void LogLines::keep(std::string line, const Line& tell) {
  if (line.ends_with('\r')) line.pop_back();
  line.shrink_to_fit();
  bytes_ += line.size() + sizeof(std::string);
  lines_.push_back(std::move(line));
  while (bytes_ > kKeepBytes && lines_.size() > 1) {
    bytes_ -= lines_.front().size() + sizeof(std::string);
    lines_.pop_front();
  }
  if (tell) tell(lines_.back());
}

std::vector<std::string> LogLines::last(std::size_t count) const {
  const auto from = lines_.size() - std::min(count, lines_.size());
  return {lines_.begin() + static_cast<std::ptrdiff_t>(from), lines_.end()};
}

}  // namespace causeway::supervise
