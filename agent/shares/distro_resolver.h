// DistroResolver finds which files paths of a distro mean there, without stopping at a file system
// that hangs:
//
//   paths ── no link in any part (plain_paths) ──▶ their own answer
//         ── else the helper is asked; where it is missing or silent, a look at the share
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "io/loop.h"
#include "shares/attached_shares.h"
#include "shares/helper_sessions.h"

namespace causeway::shares {

class DistroResolver {
 public:
  using Answers = std::vector<Result<std::string>>;
  using Done = std::function<void(Answers)>;

  // All outlive it.
  DistroResolver(io::Loop& loop, const AttachedShares& attached, const HelperSessions& helpers)
      : loop_(loop), attached_(attached), helpers_(helpers) {}
  DistroResolver(const DistroResolver&) = delete;
  DistroResolver& operator=(const DistroResolver&) = delete;

  // One answer for each of `paths` (clean, absolute), in order, within 5 s. `done` is called once,
  // never from within.
  void resolve(const std::string& distro, std::vector<std::string> paths, Done done);

 private:
  UniqueFd open_root(const std::string& distro) const;
  Answers resolve_here(const std::string& distro, const std::vector<std::string>& paths) const;
  void answer_here(const std::string& distro, std::vector<std::string> paths, Done done);
  void ask_helper(const std::string& distro, std::vector<std::string> paths, Done done);

  io::Loop& loop_;
  const AttachedShares& attached_;
  const HelperSessions& helpers_;
  Lifetime lifetime_;
};

}  // namespace causeway::shares
