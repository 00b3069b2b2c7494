#include "daemon/notes.h"

namespace causeway::daemon {

std::vector<control_api::Note> Notes::all() const {
  auto out = kept_;
  for (const auto& source : sources_)
    for (auto& note : source()) out.push_back(std::move(note));
  return out;
}

void Notes::add_section(control::Api& api) {
  api.sections.add("notes", [this] { return to_json(all()); });
}

}  // namespace causeway::daemon
