// LogLines makes lines of a service's output and keeps the last of them in memory, for
// `causeway logs` and for the reason of a failure. A line longer than kMaxLine is split.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::supervise {

class LogLines {
 public:
  static constexpr std::size_t kMaxLine =
      std::size_t{64} * 1024;  // four times what docker's json-file takes
  static constexpr std::size_t kKeepBytes =
      std::size_t{256} * 1024;  // some thousand lines; three services: < 1 MB

  using Line = std::function<void(std::string_view)>;

  // Bytes as they come; `line` is called for each line that they complete, without its newline.
  void add(std::string_view bytes, const Line& line);
  // The writer has ended: what it left unfinished is a line too.
  void end(const Line& line);
  void clear();

  // The last `count` lines, oldest first.
  std::vector<std::string> last(std::size_t count) const;

 private:
  void keep(std::string line, const Line& tell);

  std::string partial_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
};

}  // namespace causeway::supervise
