// LogRelay brings the lines of all services together: it passes on each as it comes, and remembers
// from whom, so that the lines kept in memory can be shown in the order in which they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control_api/logs.h"
#include "supervise/supervisor.h"

namespace causeway::daemon {

// The lines kept of one service, oldest first, merged with others'. Pure.
struct KeptLines {
  std::string service;
  std::vector<std::string> lines;
};
// `order` names, as an index into `kept`, who printed each of the last lines, oldest first. Lines
// that are older than all of `order` come first, service by service. At most the last `tail`.
std::vector<control_api::LogLine> merge_lines(std::vector<KeptLines> kept,
                                              const std::deque<std::uint16_t>& order,
                                              std::size_t tail);

class LogRelay {
 public:
  using Line = std::function<void(std::string_view service, std::string_view line)>;

  // `supervisor` outlives it.
  LogRelay(supervise::Supervisor& supervisor, Line line);

  // Listens to services that have come, forgets those that are gone. To be called after each
  // change.
  void refresh();

  // As LogSource::last().
  std::vector<control_api::LogLine> last(std::string_view service, std::size_t tail,
                                         bool fresh) const;

 private:
  struct Source {
    std::uint16_t number = 0;
    std::uint64_t seen = 0;  // lines since this agent started
    std::shared_ptr<supervise::LogSubscription> subscription;
  };
  std::vector<std::string> lines_of(const std::string& name, const Source& source, std::size_t tail,
                                    bool fresh) const;

  supervise::Supervisor& supervisor_;
  Line line_;
  std::uint16_t next_number_ = 0;
  std::deque<std::uint16_t> order_;
  std::map<std::string, Source, std::less<>> sources_;
};

}  // namespace causeway::daemon
