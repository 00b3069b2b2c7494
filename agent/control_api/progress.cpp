#include "control_api/progress.h"

#include "control_api/json_fields.h"

namespace causeway::control_api {
namespace {

using json::Json;

constexpr EnumNames<ProgressEnd::How, 3> kEnds = {{"done", "failed", "cancelled"}};

std::optional<std::uint64_t> bytes(const Json& value) {
  const auto number = value.as_int();
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

}  // namespace

std::string_view name_of(ProgressEnd::How how) { return kEnds.of(how); }

std::string to_json(const Progress& progress) {
  Json out = Json::object({{"phase", progress.phase}, {"text", progress.text}});
  if (progress.done_bytes) out.set("done_bytes", *progress.done_bytes);
  if (progress.total_bytes) out.set("total_bytes", *progress.total_bytes);
  return out.dump();
}

std::string to_json(const ProgressEnd& end) {
  Json out = Json::object({{"end", name_of(end.how)}});
  if (end.how == ProgressEnd::How::failed) out.set("message", end.message);
  return out.dump();
}

Result<std::variant<Progress, ProgressEnd>> progress_from_json(std::string_view line) {
  const auto json = Json::parse(line);
  if (!json) return json.error();
  if (const auto* end = (*json)["end"].as_string()) {
    const auto how = kEnds.find(*end);
    if (!how) return make_error("a call that ended in an unknown way: " + *end);
    return {ProgressEnd{*how, (*json)["message"].string_or("")}};
  }
  Progress out;
  out.phase = (*json)["phase"].string_or("");
  if (out.phase.empty()) return make_error("a line that is neither progress nor an end");
  out.text = (*json)["text"].string_or("");
  out.done_bytes = bytes((*json)["done_bytes"]);
  out.total_bytes = bytes((*json)["total_bytes"]);
  return {std::move(out)};
}

}  // namespace causeway::control_api
