// The last act of an ordered stop: the namespace's mounts go, so that disks are free when init
// exits.
#pragma once

namespace causeway::init {

// Unmounts everything but / and /proc, newest first, in passes until nothing more goes. Best
// effort, without allocation. Only in a mount namespace of our own.
void unmount_all();

}  // namespace causeway::init
