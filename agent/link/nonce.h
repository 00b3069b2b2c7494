// The nonce of this boot of init: whoever connects to the link must know it, so that a peer of an
// earlier boot, or of another distro in the same VM, is found out.
#pragma once

#include <string>

#include "base/result.h"

namespace causeway::link {

// 32 hex digits, 128 bits of getrandom(2), from RUN/link.nonce, which root alone can read. Every
// agent of a boot finds the same one, for RUN is new in each; `fresh` (without init) makes another.
Result<std::string> boot_nonce(const std::string& run, bool fresh);

}  // namespace causeway::link
