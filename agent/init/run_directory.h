// RUN, the directory of one boot: the lock beside it, and the tmpfs on it, which every boot makes
// anew (a stale containerd pid file made dockerd wait for ever: measured).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::init {

struct Lock {
  UniqueFd fd;        // empty: another init holds it
  std::string owner;  // then: its pid as text, "unknown" when it could not be read
};

// RUN.lock, held by flock for as long as any duplicate of the descriptor lives, with our pid in it.
Result<Lock> take_lock(const std::string& run);

// Unmounts what earlier boots mounted on `run` in this mount namespace, and nobody else's mounts.
void unmount_run(const std::string& run);

// Makes the directory, and after unmount_run() a fresh tmpfs on it.
Status mount_run(const std::string& run);

}  // namespace causeway::init
