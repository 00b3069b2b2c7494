#include "handover/distro_report.h"

#include <array>
#include <utility>

#include "json/json.h"

namespace causeway::handover {
namespace {

using json::Json;
using json::ObjectReader;
using State = DistroReport::State;

constexpr std::array kStates{State::added, State::kept, State::left_alone, State::failed};

}  // namespace

std::string_view name_of(DistroReport::State state) {
  switch (state) {
    case State::added:
      return "added";
    case State::kept:
      return "kept";
    case State::left_alone:
      return "left_alone";
    case State::failed:
      return "failed";
  }
  return "";
}

Json to_json(const DistroReport& report) {
  Json items = Json::array();
  for (const auto& item : report.items) {
    Json out =
        Json::object({{"what", item.what}, {"path", item.path}, {"state", name_of(item.state)}});
    if (!item.reason.empty()) out.set("reason", item.reason);
    items.push(std::move(out));
  }
  Json notes = Json::array();
  for (const auto& note : report.notes) notes.push(note);
  return Json::object({{"items", std::move(items)}, {"notes", std::move(notes)}});
}

void read_report(ObjectReader& in, DistroReport& report) {
  in.objects("items", [&](ObjectReader& item) {
    auto& out = report.items.emplace_back();
    std::string state;
    item.require("what").require("path").require("state");
    item.read("what", out.what);
    item.read("path", out.path);
    item.read("reason", out.reason);
    if (!item.read("state", state)) return;
    for (const State known : kStates) {
      if (name_of(known) != state) continue;
      out.state = known;
      return;
    }
    item.fail("state", "expected added, kept, left_alone or failed");
  });
  in.read("notes", report.notes);
}

Result<DistroReport> report_from_json(const Json& json) {
  DistroReport report;
  ObjectReader in(json);
  read_report(in, report);
  if (auto done = in.finish(); !done) return std::move(done).error();
  return report;
}

}  // namespace causeway::handover
