#include "control_api/engine.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr EnumNames<EngineState, 4> kEngineStates = {{"absent", "starting", "ready", "down"}};

}  // namespace

std::string_view name_of(EngineState state) { return kEngineStates.of(state); }

std::string to_json(const EngineStatus& engine) {
  return Json::object(
             {{"state", name_of(engine.state)}, {"reason", engine.reason}, {"age_s", engine.age_s}})
      .dump();
}

Status read(const Json& json, EngineStatus& out) {
  const auto state = kEngineStates.find(json["state"].string_or(""));
  if (!state) return make_error("unknown engine state " + json["state"].string_or(""));
  out = {*state, json["reason"].string_or(""), count(json["age_s"])};
  return Ok{};
}

}  // namespace causeway::control_api
