#include "control_api/clock.h"

#include <limits>

#include "json/json.h"

namespace causeway::control_api {

using json::Json;

std::string to_json(const ClockStep& step) {
  return Json::object({{"stepped", step.stepped}, {"offset_ms", step.offset_ms}}).dump();
}

Result<std::int64_t> unix_ms_from_json(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) return std::move(json).error();
  std::int64_t out = 0;
  json::ObjectReader in(*json);
  in.require("unix_ms").read("unix_ms", out, 0, std::numeric_limits<std::int64_t>::max());
  if (auto done = in.finish(); !done) return std::move(done).error();
  return out;
}

}  // namespace causeway::control_api
