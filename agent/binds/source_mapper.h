// SourceMapper finds the engine's paths for what a client wrote: the path map, with the links
// resolved where they belong, in the distro; and it waits, within bounds, for a distro that is to
// start first.
//
//   sources ── classify ──▶ absent? ask for the distro, wait ──▶ resolve, one question a distro
//           ──▶ place ──▶ engine paths, or one status and message for the client
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "binds/distros.h"
#include "io/loop.h"
#include "paths/identity.h"

namespace causeway::binds {

// For the client, as it is; status 0 is success.
struct Mapped {
  int status = 0;
  std::string message;
  std::vector<std::string> paths;
};

struct Limits {
  // A distro's start takes Windows 1 to 3 s, a slow disk some more. docker itself waits for ever.
  std::uint64_t distro_ms = 10'000;
};

class SourceMapper {
 public:
  using Done = std::function<void(Mapped)>;
  // Both outlive it.
  SourceMapper(io::Loop& loop, Distros& distros, Limits limits = {});

  // `done` is called once, never within the call; not at all when the mapper goes first.
  void map(const paths::Identity& asker, std::vector<std::string> sources, Done done);

  // A source on a Windows drive was mapped.
  std::function<void(const paths::Identity& asker, const std::string& source)> on_windows_files;

 private:
  struct Job;
  void classify(const std::shared_ptr<Job>& job);
  void resolve(const std::shared_ptr<Job>& job);
  void placed(const std::shared_ptr<Job>& job, const std::string& distro,
              const std::vector<std::size_t>& which, std::vector<Result<std::string>> resolved);
  void finish(const std::shared_ptr<Job>& job);
  void tell(Job& job);

  io::Loop& loop_;
  Distros& distros_;
  const Limits limits_;
  Lifetime lifetime_;
};

}  // namespace causeway::binds
