#include "daemon/clock_calls.h"

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "control_api/clock.h"

namespace causeway::daemon {

void add_clock_calls(control::Api& api, Clock clock) {
  api.calls.add({"POST", "/v1/clock"}, [clock = std::move(clock)](const control::Request& request) {
    const auto unix_ms = control_api::unix_ms_from_json(request.body);
    if (!unix_ms) return control::refusal(400, unix_ms.error().message);
    const auto offset = step_clock(clock, *unix_ms);
    if (!offset)
      return control::refusal(offset.error().code == EINVAL ? 400 : 409, offset.error().message);
    if (offset->stepped) log::info("agent.clock_stepped", {{"offset_ms", offset->ms}});
    return control::Reply{200, to_json(control_api::ClockStep{offset->stepped, offset->ms})};
  });
}

}  // namespace causeway::daemon
