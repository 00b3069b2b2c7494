// One request of the agent's control API (agent/control/openapi.json) on a stream of channel
// control: HTTP/1.1, one answer, then the stream ends. The answer is bounded; endless ones are not
// for this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "link/link_client.h"
#include "windows/completion_port.h"

namespace causeway::shim::link {

using ControlAnswer = std::function<void(Result<std::pair<int, std::string>>)>;

// Status code and body, once `bytes` hold all of the answer: nothing while they don't. `ended`:
// there will be no more. The agent always tells the length of an answer to a question that has an
// end.
Result<std::optional<std::pair<int, std::string>>> parse_control_answer(std::string_view bytes,
                                                                        bool ended);

// `answer` is called once, from the loop, at the latest when `stream`'s link has ended or the time
// is up. The call owns itself.
void call_control(CompletionPort& port, std::unique_ptr<LinkChannel> stream,
                  const std::string& method, const std::string& path, const std::string& body,
                  ControlAnswer answer);

}  // namespace causeway::shim::link
