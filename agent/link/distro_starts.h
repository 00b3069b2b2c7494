// DistroStarts asks Windows to start distros: one stream of the channel distro_start for each, with
// a line of JSON each way (wire/distro_start.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "io/byte_stream.h"
#include "io/loop.h"
#include "io/timer.h"

namespace causeway::link {

class DistroStarts {
 public:
  // Windows starts a distro in 1 to 3 s, on a slow disk in 20; nobody is asked twice meanwhile.
  static constexpr std::uint64_t kAnswerMs = 60'000;

  // `open` gives a stream of that channel, or null while Windows isn't there: then it is to be
  // asked again. `refused` is told why a distro isn't started. Neither may destroy it.
  DistroStarts(io::Loop& loop, std::function<std::unique_ptr<io::ByteStream>()> open,
               std::function<void(const std::string& distro, const std::string& reason)> refused,
               std::uint64_t answer_ms = kAnswerMs);
  ~DistroStarts();

  // Nothing happens while an earlier question about it is open.
  void ask(const std::string& distro);
  std::size_t open_questions() const { return questions_.size(); }

 private:
  class Question;
  void ended(const std::string& distro, const std::string& reason);

  io::Loop& loop_;
  const std::function<std::unique_ptr<io::ByteStream>()> open_;
  const std::function<void(const std::string&, const std::string&)> refused_;
  const std::uint64_t answer_ms_;
  Lifetime lifetime_;
  std::map<std::string, std::unique_ptr<Question>> questions_;
};

}  // namespace causeway::link
