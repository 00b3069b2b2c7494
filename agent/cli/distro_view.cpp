#include "cli/distro_view.h"

#include "base/text.h"
#include "cli/table.h"

namespace causeway::cli {
namespace {

using control_api::DistroState;
using control_api::ItemState;

Colour colour_of(DistroState state) {
  switch (state) {
    case DistroState::attached:
      return Colour::green;
    case DistroState::waiting:
      return Colour::yellow;
    case DistroState::refused:
    case DistroState::failed:
      return Colour::red;
    case DistroState::disabled:
    case DistroState::stopped:
      return Colour::dim;
  }
  return Colour::dim;
}

void add_item(Table& table, const control_api::DistroItem& item, bool every_item) {
  const bool failed = item.state == ItemState::failed;
  const bool left_alone = item.state == ItemState::left_alone;
  const bool notable = failed || left_alone;
  if (!notable && !every_item) return;
  std::string line = item.what + " " + item.path;
  if (every_item)
    line += ", " + (left_alone ? "left alone" : std::string(control_api::name_of(item.state)));
  if (!item.reason.empty()) line += ": " + item.reason;
  const Colour quiet = notable ? Colour::none : Colour::dim;
  table.add_below(text::printable(line), failed ? Colour::red : quiet);
}

}  // namespace

std::string distro_table(const std::vector<control_api::DistroStatus>& distros, bool every_item,
                         const Terminal& terminal) {
  Table table({{"DISTRO", false, 8}, {"STATE"}, {"MOUNTS", true}, {"DOCKER.SOCK", false, 8}});
  for (const auto& distro : distros) {
    table.add({{text::printable(distro.name)},
               {std::string(control_api::name_of(distro.state)), colour_of(distro.state)},
               {std::to_string(distro.mounts)},
               {distro.socket.empty() ? "-" : text::printable(distro.socket)}});
    if (!distro.reason.empty())
      table.add_below(text::printable(distro.reason), colour_of(distro.state));
    for (const auto& item : distro.items) add_item(table, item, every_item);
    for (const auto& note : distro.notes) table.add_below(text::printable(note), Colour::yellow);
  }
  return table.text(terminal);
}

}  // namespace causeway::cli
