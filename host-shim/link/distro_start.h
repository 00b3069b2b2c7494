// A stream that the agent opened to have a distro started: one JSON line names it, one answers.
//
//   agent ── {"distro":"Ubuntu"} ──▶ shim        shim ── {"started":false,"reason":"…"} ──▶ agent
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::shim {
class CompletionPort;
}

namespace causeway::shim::link {

class LinkChannel;

// What the agent wants to have started; `answer` may be called later and from any thread, once.
struct DistroStart {
  std::string distro;
  std::function<void(bool started, std::string reason)> answer;
};

// The name in the agent's line; an error says what is wrong with it. Strict: one member.
Result<std::string> parse_distro_start(std::string_view line);
// With its newline.
std::string distro_start_answer(bool started, std::string_view reason);

// Reads the line, asks `decide`, writes the answer. Without `decide` the answer is no. The
// conversation owns itself and ends with its stream; DistroStart::answer may be called later than
// that.
void serve_distro_start(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
                        const std::function<void(DistroStart)>& decide);

}  // namespace causeway::shim::link
