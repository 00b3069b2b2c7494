// The line with which `causeway attach` says how its link is reached, before the bytes of the link:
//
//   CAUSEWAY/1 {"version":"0.1.0","major":1,"vm_id":"…","port":1129775105,"nonce":"…"}
//
// Always UTF-8, in one line. What may stand before it is wsl.exe's own noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/hello.h"

namespace causeway::wire {

inline constexpr std::string_view kAttachMarker = "CAUSEWAY/1 ";
inline constexpr std::size_t kAttachLineLimit = 4096;  // with the marker and the newline

struct AttachLine {
  std::string version;      // the agent's
  std::uint32_t major = 0;  // of the link's protocol; the shim names one that isn't its own
  std::string vm_id;        // empty: not known
  std::uint32_t port = 0;   // of vsock; 0: nothing listens there
  Nonce nonce{};
};

// With marker and newline.
std::string attach_line(const AttachLine& line);
// The JSON behind the marker. Strict: these members with these types, each once; unknown ones are
// ignored, for a newer agent may say more.
Result<AttachLine> parse_attach_line(std::string_view json);

// A GUID with or without braces: what `wslinfo --vm-id` prints on a WSL that knows it.
bool is_vm_id(std::string_view text);

}  // namespace causeway::wire
