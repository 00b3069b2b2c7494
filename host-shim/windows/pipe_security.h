// Who may open a pipe of the shim: SYSTEM, Administrators and the user it runs as. The default
// would let everyone read (Microsoft, "Named Pipe Security and Access Rights").
#pragma once

#include <windows.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace causeway::shim {

class PipeSecurity {
 public:
  static Result<PipeSecurity> for_this_user();
  // Valid while this lives.
  SECURITY_ATTRIBUTES attributes() const;
  const std::string& sddl() const { return sddl_; }

 private:
  struct LocalFreed {
    void operator()(void* memory) const { LocalFree(memory); }
  };
  std::unique_ptr<void, LocalFreed> descriptor_;
  std::string sddl_;
};

// Whether this process has an elevated token beside a plain one of the same user. What such a one
// starts in WSL lives in another mount namespace than the user's shells. Not so where there is no
// plain one: UAC is off, or it is the built-in Administrator.
bool elevated();

}  // namespace causeway::shim
