// POST /v1/clock: Windows tells the time after the machine's sleep.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::control_api {

struct ClockStep {
  bool stepped = false;
  std::int64_t offset_ms = 0;  // what was asked for, minus what the clock said
};

std::string to_json(const ClockStep& step);
// Of the request, {"unix_ms": N} and nothing else.
Result<std::int64_t> unix_ms_from_json(std::string_view text);

}  // namespace causeway::control_api
