// LineLimit decides which lines of a log are written, so that a peer who can cause one can't cause
// thousands: of each kind some at once, then one from time to time, which tells how many were left
// out. Pure: the time is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace causeway::log {

class LineLimit {
 public:
  struct Limits {
    // An ordered stop of all containers, or a distro's mounts at its start, says this much of one
    // kind for a reason.
    std::uint64_t at_once = 100;
    std::uint64_t every_ms = 10'000;  // one more of a kind
    // Kinds that are told apart; what is new beyond is counted as one kind. So peers that make up
    // kinds cost no memory.
    std::size_t kinds = 512;
    std::uint64_t forget_ms = 600'000;  // after that much silence a kind makes room for a new one
  };

  explicit LineLimit(Limits limits) : limits_(limits) {}
  LineLimit() : LineLimit(Limits()) {}

  struct Verdict {
    bool write = false;
    std::uint64_t left_out = 0;  // of this kind, since the last one that was written
    bool last = false;           // the next ones are left out for a while
  };
  // A line of that kind is to be written now.
  Verdict line(std::string_view kind, std::uint64_t now_ms);
  std::size_t kinds() const { return kinds_.size(); }

 private:
  struct Kind {
    std::uint64_t left = 0;      // may be written now
    std::uint64_t since_ms = 0;  // up to when `left` is right
    std::uint64_t last_ms = 0;   // a line of it came
    std::uint64_t left_out = 0;
  };
  Kind& find(std::string_view kind, std::uint64_t now_ms);
  void refill(Kind& kind, std::uint64_t now_ms) const;

  Limits limits_;
  std::map<std::string, Kind, std::less<>> kinds_;
  Kind others_;
};

}  // namespace causeway::log
