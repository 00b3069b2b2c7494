// Drives shows each drive of Windows that is mounted for the engine at /mnt/host/<letter>: one
// path for all distros and for Kubernetes, whatever they call it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "mounts/placeholder.h"
#include "paths/mount_info.h"

namespace causeway::shares {

// Which of the engine's mounts stands for which letter: whole drives only, and of several the first
// in order. `ours`: directories below which mounts are our own copies.
std::map<char, const paths::MountEntry*> choose_drives(const std::vector<paths::MountEntry>& mounts,
                                                       const std::vector<std::string>& ours);

class Drives {
 public:
  // Mounts the placeholder at `path`, and removes leftovers of a killed agent.
  static Result<Drives> at(const std::string& path, mounts::Release release = {});

  // Attaches what is new, detaches what has gone, replaces what is mounted anew. Errors are logged,
  // once each. True when letters() changed.
  bool update(const std::vector<paths::MountEntry>& mounts, const std::vector<std::string>& ours);

  const std::set<char>& letters() const { return letters_; }

 private:
  explicit Drives(mounts::Placeholder placeholder) : placeholder_(std::move(placeholder)) {}
  Status attach(char letter, const paths::MountEntry& from);

  mounts::Placeholder placeholder_;
  std::set<char> letters_;
  std::map<char, std::string> failed_;  // what was logged
};

}  // namespace causeway::shares
