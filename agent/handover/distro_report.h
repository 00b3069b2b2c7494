// What the helper has done in its distro, thing by thing, for `causeway distro status`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace causeway::json {
class Json;
class ObjectReader;
}  // namespace causeway::json

namespace causeway::handover {

struct DistroReport {
  enum class State {
    added,       // by us, and it is there
    kept,        // it was there before, and does what we need
    left_alone,  // somebody else's is in its place
    failed,      // see `reason`
  };
  struct Item {
    std::string what;  // "docker.sock", "link", "completion", "group", "member", "context", "tools"
    std::string path;  // the file it is about; of a member: the user's name
    State state = State::added;
    std::string reason;  // of left_alone and failed
    bool operator==(const Item&) const = default;
  };

  std::vector<Item> items;
  std::vector<std::string> notes;  // hints for people: "open a new shell: …"
  bool operator==(const DistroReport&) const = default;
};

std::string_view name_of(DistroReport::State state);  // "left_alone"

// {"items":[{"what","path","state","reason"?}],"notes":[…]}
json::Json to_json(const DistroReport& report);
Result<DistroReport> report_from_json(const json::Json& json);
// The same inside another object.
void read_report(json::ObjectReader& in, DistroReport& report);

}  // namespace causeway::handover
