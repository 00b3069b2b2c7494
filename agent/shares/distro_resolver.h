// DistroResolver finds which files paths of a distro mean there, without stopping at a file system
// that hangs:
//
//   paths ── no link in any part (plain_paths) ──▶ their own answer
//         ── else the helper is asked; where it is missing or silent, a walker looks at the share
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "shares/attached_shares.h"
#include "shares/helper_sessions.h"
#include "shares/walkers.h"

namespace causeway::shares {

class DistroResolver {
 public:
  using Answers = std::vector<Result<std::string>>;
  using Done = std::function<void(Answers)>;

  // All outlive it.
  DistroResolver(io::Loop& loop, const AttachedShares& attached, const HelperSessions& helpers,
                 Walkers& walkers)
      : loop_(loop), attached_(attached), helpers_(helpers), walkers_(walkers) {}
  DistroResolver(const DistroResolver&) = delete;
  DistroResolver& operator=(const DistroResolver&) = delete;

  // One answer for each of `paths` (clean, absolute), in order, within 5 s. `done` is called once,
  // never from within.
  void resolve(const std::string& distro, std::vector<std::string> paths, Done done);

  // Of a share; empty when it isn't there. Not to be kept: it keeps the distro's disk busy.
  UniqueFd open_root(const std::string& distro) const;

 private:
  void ask_walker(const std::string& distro, std::vector<std::string> paths, Done done);
  void ask_helper(const std::string& distro, std::vector<std::string> paths, Done done);

  io::Loop& loop_;
  const AttachedShares& attached_;
  const HelperSessions& helpers_;
  Walkers& walkers_;
  std::map<std::string, std::uint64_t> silent_until_;  // helpers that did not answer in time
  Lifetime lifetime_;
};

}  // namespace causeway::shares
