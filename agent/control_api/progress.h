// The one form of a call that takes a while (an installation, a download). POST starts it, or joins
// the one that runs; the answer is a line of JSON for each step, and at the end one that says how
// it ended. DELETE cancels. progress.openapi.json has the rules, control/long_call.h the server's
// side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace causeway::control_api {

struct Progress {
  std::string phase;  // one word, for machines: "download"
  std::string text;   // for people
  std::optional<std::uint64_t> done_bytes;
  std::optional<std::uint64_t> total_bytes;
};

struct ProgressEnd {
  enum class How { done, failed, cancelled };
  How how = How::done;
  std::string message;  // why it failed
};
std::string_view name_of(ProgressEnd::How how);

std::string to_json(const Progress& progress);
std::string to_json(const ProgressEnd& end);
Result<std::variant<Progress, ProgressEnd>> progress_from_json(std::string_view line);

}  // namespace causeway::control_api
