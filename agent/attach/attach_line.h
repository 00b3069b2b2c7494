// What `causeway attach` says: the line for the Windows side, and the one for a person. Pure.
#pragma once

#include <string>
#include <string_view>

#include "control_api/status.h"

namespace causeway::attach {

// "CAUSEWAY/1 {json}\n": version, the protocol's major version, the VM's id, vsock port, nonce.
// What stands before it in the output is WSL's noise; raw bytes of the link follow.
std::string attach_line(const control_api::LinkContact& contact, std::string_view vm_id,
                        std::string_view version);

// A GUID with or without braces.
bool is_vm_id(std::string_view text);

// One line or two: what runs, and where one is.
std::string welcome(const control_api::ProductStatus& status);

}  // namespace causeway::attach
