// Sections `distros` and `wanted`: the distros that ever were integrated, and those that somebody
// waits for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
}

namespace causeway::control_api {

enum class DistroState { attached, waiting, refused, failed, disabled, stopped };
std::string_view name_of(DistroState state);

// What became of one thing that a distro's helper is to add there (handover/distro_report.h).
enum class ItemState { added, kept, left_alone, failed };
std::string_view name_of(ItemState state);

struct DistroItem {
  std::string what;
  std::string path;
  ItemState state = ItemState::added;
  std::string reason;  // of left_alone and failed
};

struct DistroStatus {
  std::string name;
  bool enabled = true;
  DistroState state = DistroState::stopped;
  std::string reason;        // why it isn't attached; empty when there is nothing to say
  std::uint64_t mounts = 0;  // of it that the engine sees
  std::string socket;        // its docker.sock, in the distro; empty when there is none
  bool helper = false;       // one is connected
  std::vector<DistroItem> items;
  std::vector<std::string> notes;
};

std::string to_json(const std::vector<DistroStatus>& distros);
Status read(const json::Json& json, std::vector<DistroStatus>& out);
std::string to_json(const DistroStatus& distro);

// Names of distros that Windows is to start.
struct Wanted {
  std::vector<std::string> distros;
};
std::string to_json(const Wanted& wanted);
Status read(const json::Json& json, Wanted& out);

// The body of POST /v1/distros/{name}/failed: {"reason": "…"}.
struct HelperFailure {
  std::string reason;
};
std::string to_json(const HelperFailure& failure);
Result<HelperFailure> helper_failure_from_json(std::string_view text);

// The answer of GET /v1/distros: both sections.
std::string distros_json(const std::vector<DistroStatus>& distros, const Wanted& wanted);
Result<std::vector<DistroStatus>> distros_from_json(std::string_view text);

}  // namespace causeway::control_api
