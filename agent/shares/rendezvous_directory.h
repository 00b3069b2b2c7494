// Makes the rendezvous directory, where helpers find us: <wsl>/docker-desktop with run/share.sock
// and bin/causeway. Nothing there is a mount: whatever another distro unmounts below <wsl> takes
// nothing away. The file system is mode 1777: what somebody else has planted at our place is put
// aside, and never used.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace causeway::shares {

struct RendezvousDirectory {
  UniqueFd run;           // the directory with share.sock, O_PATH
  UniqueFd bin;           // the one with the program
  std::string put_aside;  // where what somebody planted is now; empty: nothing was
};

// Makes the directories that are missing (0755, root's) and checks all of them. What isn't root's
// alone at <wsl>/docker-desktop gets another name, as it is. Errors name what is wrong with which.
Result<RendezvousDirectory> make_rendezvous_directory(const std::string& wsl);

// Copies the file `program` to `name` in `directory` (0755, as a whole or not at all), unless the
// same is there. True when it was written.
Result<bool> install_program(const std::string& program, int directory, const std::string& name);

// The one agent that serves the distros: all distros of a VM share <wsl>, and a second agent there
// (a distro with one of its own, beside docker-desktop) would take the first one's helpers away.
class RendezvousLock {
 public:
  static constexpr const char* kName = "lock";  // in RendezvousDirectory::run

  // Held from the first success on. Code EWOULDBLOCK: another one holds it. The file stays open
  // after a refusal: so only the holder's end closes it, which is an event (IN_CLOSE_WRITE).
  Status claim(int run);
  void release();

 private:
  UniqueFd lock_;
  bool held_ = false;
};

}  // namespace causeway::shares
