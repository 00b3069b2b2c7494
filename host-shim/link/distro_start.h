// Serves a stream that the agent opened to have a distro started (wire/distro_start.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

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

// Reads the line, asks `decide`, writes the answer. Without `decide` the answer is no. The
// conversation owns itself and ends with its stream; DistroStart::answer may be called later than
// that.
void serve_distro_start(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
                        const std::function<void(DistroStart)>& decide);

}  // namespace causeway::shim::link
