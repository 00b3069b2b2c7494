// What is said on a stream of the channel distro_start, a line of JSON each way:
//
//   agent ── {"distro":"Ubuntu"} ──▶ shim    shim ── {"started":false,"reason":"…"} ──▶ agent
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::wire {

// WSL's own limit for a name is far below; a reason is a sentence.
inline constexpr std::size_t kDistroStartLimit = 4096;

// With its newline.
std::string distro_start_request(std::string_view distro);
// The name of the distro; an error says what is wrong with the line. Strict: one member.
Result<std::string> parse_distro_start_request(std::string_view line);

struct DistroStartAnswer {
  bool started = false;
  std::string reason;  // why it isn't; for a person, as the peer wrote it. May be empty
};

// With its newline.
std::string distro_start_answer(const DistroStartAnswer& answer);
// Unknown members are ignored, for a newer shim may say more.
Result<DistroStartAnswer> parse_distro_start_answer(std::string_view line);

}  // namespace causeway::wire
