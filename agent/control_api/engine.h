// Section `engine`: the engine as a client of its API meets it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

enum class EngineState { absent, starting, ready, down };  // absent: no such service is configured
std::string_view name_of(EngineState state);

struct EngineStatus {
  EngineState state = EngineState::absent;
  std::string reason;
  std::uint64_t age_s = 0;
  std::uint64_t silent_s = 0;  // for so long it is ready and doesn't answer
};

std::string to_json(const EngineStatus& engine);
Status read(const json::Json& json, EngineStatus& out);

}  // namespace causeway::control_api
