#include "process/run_to_end.h"

#include <unistd.h>

#include "io/loop.h"
#include "process/reaper.h"

namespace causeway::process {

process::RunOnce::Outcome run_to_end(const std::vector<std::string>& argv,
                                     std::uint64_t timeout_ms) {
  io::Loop loop;
  process::Reaper reaper(loop);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  process::RunOnce::Outcome out;
  const process::RunOnce run(loop, reaper, argv, environment, timeout_ms,
                             [&](const process::RunOnce::Outcome& outcome) { out = outcome; });
  loop.run();
  return out;
}

}  // namespace causeway::process
